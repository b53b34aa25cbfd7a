import type { Cut } from "../../../agent/api/batch.ts";
import { Joiner } from "./joiner.ts";
import type { RecordOutput } from "./output.ts";
import type { LineParser } from "./parsed.ts";

/**
 * Docker's json-file: `{"log":"text\n","stream":"stdout","time":"…"}`. The record is the decoded `log`; pieces are joined, per stream,
 * until one ends with a newline. A line of another form passes whole.
 */
export class DockerParser implements LineParser {
  readonly #joiner: Joiner;

  constructor(maxLineBytes: number) {
    this.#joiner = new Joiner(maxLineBytes);
  }

  get pending(): number | undefined {
    return this.#joiner.pending;
  }

  line(buffer: Buffer, start: number, end: number, offset: number, out: RecordOutput): void {
    const entry = parseEntry(buffer, start, end);
    if (!entry) {
      this.#joiner.whole(buffer, start, end, offset, out);
      return;
    }
    const last = entry.log.endsWith("\n");
    const text = Buffer.from(last ? entry.log.slice(0, -1) : entry.log);
    this.#joiner.part(entry.stream, text, 0, text.length, offset, last, out);
  }

  cutLine(bytes: Buffer, offset: number, cut: Cut, out: RecordOutput): void {
    this.#joiner.cut(bytes, offset, cut, out);
  }

  flush(out: RecordOutput): void {
    this.#joiner.flush(out);
  }
}

function parseEntry(buffer: Buffer, start: number, end: number): { log: string; stream: string } | undefined {
  if (buffer[start] !== 0x7b) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(buffer.toString("utf8", start, end));
  } catch {
    return undefined;
  }
  const { log, stream } = value as { log?: unknown; stream?: unknown };
  if (typeof log !== "string") return undefined;
  // Streams of unknown names share one place: their number must not grow with what a file says.
  return { log, stream: stream === "stdout" || stream === "stderr" ? stream : "" };
}
