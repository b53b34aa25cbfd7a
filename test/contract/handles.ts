/** Finds what a piece of code leaves open: timers, sockets, files. Of that code alone, whatever else the process does. */
import { AsyncLocalStorage, createHook } from "node:async_hooks";

/** No TLSWRAP: it ends when it is collected, and the TCPWRAP below it tells. */
const KINDS =
  /^(Timeout|Immediate|TCPWRAP|TCPSERVERWRAP|PIPEWRAP|UDPWRAP|TTYWRAP|FSEVENTWRAP|STATWATCHER|FILEHANDLE|WORKER)$/;

interface Resource {
  hasRef?(): boolean;
  readonly fd?: number;
}

/** Runs `code`; `open()` names what it opened and what still keeps the process alive, or is a file not closed. */
export async function tracking(code: (open: () => string[]) => Promise<void>): Promise<void> {
  const inside = new AsyncLocalStorage<true>();
  const alive = new Map<number, { kind: string; resource: Resource }>();
  const hook = createHook({
    init(id, kind, _trigger, resource) {
      if (KINDS.test(kind) && inside.getStore()) alive.set(id, { kind, resource });
    },
    destroy(id) {
      alive.delete(id);
    },
  }).enable();
  const open = () =>
    [...alive.values()]
      .filter(({ kind, resource }) => (kind === "FILEHANDLE" ? resource.fd !== -1 : resource.hasRef?.() !== false))
      .map(({ kind }) => kind);
  try {
    await inside.run(true, () => code(open));
  } finally {
    hook.disable();
  }
}
