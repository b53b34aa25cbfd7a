import { Readable } from "node:stream";
import type { CommandContext } from "../../agent/commands/context.ts";

/** What a command writes, without a terminal. */
export class Written {
  out = "";
  err = "";
  readonly context: CommandContext = {
    registries: () => Promise.reject(new Error("not needed")),
    version: "0",
    out: (text) => {
      this.out += text;
    },
    err: (text) => {
      this.err += text;
    },
    input: () => Readable.from([]),
    terminal: { columns: undefined, colours: false, drawable: false },
    drained: () => Promise.resolve(),
  };
}
