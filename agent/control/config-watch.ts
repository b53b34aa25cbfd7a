import { stat } from "node:fs/promises";

/** A change is taken once the file stayed as it is for one look. */
const LOOK_MS = 2_000;

/**
 * Tells when the configuration file has changed and come to rest. Asked for rather than notified: a mounted ConfigMap changes by a link
 * beside it, and network file systems say nothing.
 */
export function watchConfig(file: string, onChange: () => void): { close(): void } {
  let timer: NodeJS.Timeout;
  let closed = false;
  let taken: string | undefined;
  let seen: string | undefined;
  const look = async () => {
    const now = await signOf(file);
    taken ??= now;
    if (now !== undefined && now === seen && now !== taken) {
      taken = now;
      onChange();
    }
    seen = now;
    if (!closed) timer = setTimeout(() => void look(), LOOK_MS).unref();
  };
  void look();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Undefined while it is not there: editors and orchestrators exchange it. */
async function signOf(file: string): Promise<string | undefined> {
  const found = await stat(file, { bigint: true }).catch(() => undefined);
  return found && `${found.dev} ${found.ino} ${found.size} ${found.mtimeNs}`;
}
