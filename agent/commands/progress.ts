import { systemClock } from "../api/clock.ts";
import { bytes, type CommandContext } from "./context.ts";

/** What is done sooner needs no bar. */
const AFTER_MS = 1000;
const EVERY_MS = 100;
const WIDTH = 30;

/** A bar on a terminal's last line, for what takes long; elsewhere nothing. */
export class Progress {
  readonly #context: CommandContext;
  readonly #begun = systemClock.monotonic();
  #shown = 0;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  /** `of` is 0 where nobody knows. */
  show(done: number, of: number): void {
    if (!this.#context.terminal.drawable) return;
    const now = systemClock.monotonic();
    if (now - this.#begun < AFTER_MS || now - this.#shown < EVERY_MS) return;
    this.#shown = now;
    const speed = `${bytes(Math.round((done / (now - this.#begun)) * 1000))}/s`;
    // Compressed files are longer inside than on disk.
    const known = of > 0 && done <= of;
    const full = known ? Math.round((done / of) * WIDTH) : 0;
    const bar = known ? `${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${Math.floor((done / of) * 100)} %  ` : "";
    this.#context.err(`\r${bar}${bytes(done)} checked, ${speed}\x1b[K`);
  }

  clear(): void {
    if (this.#shown > 0) this.#context.err("\r\x1b[K");
    this.#shown = 0;
  }
}
