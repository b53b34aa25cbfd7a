/** What reading a file has to say, each thing once. */
import type { InputContext } from "../../../agent/api/context.ts";
import type { Framed } from "../parse/framer.ts";
import type { LogFile } from "./log-file.ts";

export class Notices {
  readonly #context: InputContext;

  constructor(context: InputContext) {
    this.#context = context;
  }

  late(file: LogFile): void {
    if (file.lateSaid) return;
    file.lateSaid = true;
    this.say(file, "late", "written to after it was finished");
  }

  damaged(file: LogFile): void {
    if (file.damageSaid) return;
    file.damageSaid = true;
    this.say(file, "ended_early", `the compressed data is damaged or cut: ${file.damage}`);
  }

  cut(file: LogFile, framed: Framed): void {
    if (!framed.cuts) return;
    for (const [index, { length }] of framed.cuts) {
      this.#context.emit({
        is: "line_cut",
        input: this.#context.alias,
        path: file.path,
        offset: framed.offsets[index]!,
        length,
      });
    }
  }

  say(file: LogFile, change: "finished" | "late" | "ended_early", reason?: string): void {
    const { alias, emit } = this.#context;
    emit({ is: "file", input: alias, path: file.path, change, ...(reason === undefined ? {} : { reason }) });
  }
}
