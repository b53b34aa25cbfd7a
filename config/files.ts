/** Reading the configuration and the files it refers to: bounded, and as UTF-8 or not at all. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { homedir } from "node:os";
import { resolve } from "node:path";

/** The longest configuration; some thousand outputs fit in. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** The longest `${file:…}`: certificates and tokens are a hundredth of it. */
export const MAX_VALUE_BYTES = 256 * 1024;

/** The file's text without a byte order mark. Throws an Error with a sentence to show. */
export function readText(path: string, maxBytes: number): string {
  let bytes: Buffer;
  try {
    bytes = readBounded(path, maxBytes);
  } catch (error) {
    throw new Error(reasonOf(error), { cause: error });
  }
  if (bytes.length > maxBytes) throw new Error(`is longer than ${maxBytes / 1024} KiB`);
  if (bytes.includes(0)) throw new Error("is not text (it has NUL bytes)");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("is not text in UTF-8");
  }
}

/** What a secret file holds: its text without the newline at its end. */
export function readValue(path: string): string {
  try {
    return readText(path, MAX_VALUE_BYTES).replace(/\r?\n$/, "");
  } catch (error) {
    throw new Error(`the file ${path} ${error instanceof Error ? error.message : "cannot be read"}`, { cause: error });
  }
}

/** Absolute: `~` is the home directory, a relative path lies under `base`. */
export function absolute(path: string, base: string): string {
  if (path === "~") return homedir();
  if (path.startsWith("~/")) return resolve(homedir(), path.slice(2));
  return resolve(base, path);
}

// At most one byte more than allowed is read: /dev/zero ends here too. Pipes are fine (`--config <(…)`), directories are not.
function readBounded(path: string, maxBytes: number): Buffer {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOCTTY);
  try {
    const status = fstatSync(fd);
    if (status.isDirectory()) throw Object.assign(new Error(), { code: "EISDIR" });
    const buffer = Buffer.allocUnsafe(Math.min(maxBytes + 1, status.isFile() ? status.size + 1 : maxBytes + 1));
    let length = 0;
    while (length < buffer.length) {
      const read = readSync(fd, buffer, length, buffer.length - length, null);
      if (read === 0) break;
      length += read;
    }
    return buffer.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EACCES: "cannot be read: permission denied",
  EPERM: "cannot be read: permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "does not exist",
  ELOOP: "cannot be read: too many symbolic links",
  ENAMETOOLONG: "cannot be read: its name is too long",
};

function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return REASONS[code] ?? `cannot be read (${code || "unknown error"})`;
}
