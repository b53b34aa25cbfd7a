/** Why nothing can be said of a chain: a file cannot be read, or there is nothing to check. */
export class CannotCheck extends Error {
  override readonly name = "CannotCheck";
  /** A file that was there a moment ago: looking again may help. */
  readonly vanished: boolean;

  constructor(message: string, vanished = false) {
    super(message);
    this.vanished = vanished;
  }
}

/** A failed system call in words, without its path. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  ENOTDIR: "does not exist",
  EACCES: "permission denied",
  EPERM: "permission denied",
  ELOOP: "too many symbolic links",
  EISDIR: "is a directory",
  ENXIO: "is not a regular file",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  Z_BUF_ERROR: "the compressed data ends too early",
  Z_DATA_ERROR: "the compressed data is damaged",
};
