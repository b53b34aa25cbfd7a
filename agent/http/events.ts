/** Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): how things are each second, the log, a live tail. */
import type { ServerResponse } from "node:http";
import type { Control } from "../control/control.ts";
import { type EntriesAsked, EntryTail } from "./entries.ts";

const EACH_MS = 1_000;
/** So many at once; a page has one. */
const MOST_STREAMS = 16;
/** What a slow reader has not taken: beyond the first it gets nothing new, beyond the second it is cut off. */
const SLOW_BYTES = 1024 * 1024;
const STUCK_BYTES = 8 * 1024 * 1024;

export class EventStreams {
  readonly #control: Control;
  readonly #open = new Set<() => void>();

  constructor(control: Control) {
    this.#control = control;
  }

  get full(): boolean {
    return this.#open.size >= MOST_STREAMS;
  }

  /** Writes until the reader goes, or `close`. `entries`: with a live tail of these. */
  begin(response: ServerResponse, entries: EntriesAsked | undefined): void {
    const control = this.#control;
    const send = (event: string, data: object) => {
      if (response.writableLength > STUCK_BYTES) end();
      else if (!response.destroyed) response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    };
    const isSlow = () => response.writableLength > SLOW_BYTES;
    const tail = entries && new EntryTail(entries, (entry) => send("entry", entry));
    const untap = tail && control.tap((batch) => !isSlow() && tail.take(batch));
    for (const line of control.telemetry.recent()) send("log", line);
    const unsubscribe = control.telemetry.subscribe((line) => !isSlow() && send("log", line));
    let timer: NodeJS.Timeout;
    const turn = () => {
      try {
        tell();
      } catch {
        end();
        return;
      }
      timer = setTimeout(turn, EACH_MS).unref();
    };
    const tell = () => {
      const skipped = tail?.turn() ?? 0;
      if (!isSlow()) {
        if (control.isAttached) send("pipeline", control.view());
        if (skipped > 0) send("skipped", { entries: skipped });
      }
    };
    const end = () => {
      if (!this.#open.delete(end)) return;
      clearTimeout(timer);
      untap?.();
      unsubscribe();
      response.destroy();
    };
    this.#open.add(end);
    response.on("close", end);
    response.on("error", end);
    turn();
  }

  close(): void {
    for (const end of [...this.#open]) end();
  }
}
