/** The live tail: of the entries on their way into the queue those that somebody looks for, and not more of them than can be read. */
import { RecordBatch } from "../api/batch.ts";
import { globMatches } from "../api/glob.ts";
import type { EntryView } from "../api/operate.ts";
import { allViewFields, Level, levelNames, levelOf, TimeKind, View } from "../api/view.ts";
import { Scanner } from "../json/scanner.ts";

export interface EntriesAsked {
  readonly level?: string | undefined;
  readonly event?: string | undefined;
  readonly actor?: string | undefined;
  readonly text?: string | undefined;
}

/** A second. */
const MOST_SENT = 100;
const MOST_LOOKED_AT = 5_000;
const MOST_BYTES = 8 * 1024 * 1024;
const SHOWN_BYTES = 16 * 1024;

export class EntryTail {
  readonly #view: View;
  readonly #scanner = new Scanner(allViewFields);
  readonly #least: Level;
  readonly #event: ((name: string) => boolean) | undefined;
  readonly #actor: ((name: string) => boolean) | undefined;
  readonly #text: string | undefined;
  readonly #send: (entry: EntryView) => void;
  #looked = 0;
  #bytes = 0;
  #sent = 0;
  #skipped = 0;

  constructor({ level, event, actor, text }: EntriesAsked, send: (entry: EntryView) => void) {
    this.#view = new View(this.#scanner);
    this.#least = level ? levelOf(level) : Level.none;
    this.#event = globs(event);
    this.#actor = globs(actor);
    this.#text = text?.toLowerCase() || undefined;
    this.#send = send;
  }

  /** How many were left out since it was asked last; a new second begins. */
  turn(): number {
    const skipped = this.#skipped;
    this.#looked = 0;
    this.#bytes = 0;
    this.#sent = 0;
    this.#skipped = 0;
    return skipped;
  }

  take(batch: RecordBatch): void {
    const count = Math.min(batch.count, MOST_LOOKED_AT - this.#looked);
    this.#skipped += batch.count - count;
    if (count <= 0) return;
    this.#looked += count;
    // Spans of its own: those of the pipeline's scanner stay where the lanes find them.
    const own = new RecordBatch({ ...batch.slice(0, count), release: undefined });
    for (let i = 0; i < count; i++) {
      this.#bytes += own.ends[i]! - own.starts[i]!;
      if (this.#bytes > MOST_BYTES) this.#skipped++;
      else this.#record(own, i);
    }
    own.scanned?.release();
  }

  #record(batch: RecordBatch, i: number): void {
    const view = this.#view;
    const isObject = view.isObject(batch, i);
    const level = isObject ? view.level(batch, i) : Level.none;
    if (level < this.#least) return;
    const event = isObject ? view.event(batch, i) : undefined;
    if (this.#event && !event?.names.some(this.#event)) return;
    const actor = isObject ? view.actor(batch, i) : undefined;
    if (this.#actor && !(actor !== undefined && this.#actor(actor))) return;
    const bytes = batch.bytes(i);
    if (this.#text !== undefined && !bytes.toString().toLowerCase().includes(this.#text)) return;
    if (this.#sent >= MOST_SENT) {
      this.#skipped++;
      return;
    }
    this.#sent++;
    const time = isObject ? view.time(batch, i) : undefined;
    this.#send({
      time: time?.kind === TimeKind.exact || time?.kind === TimeKind.noZone ? new Date(time.ms).toISOString() : null,
      level: level === Level.none ? null : (levelNames[level] ?? null),
      event: event === undefined || event.name === "" ? null : event.name,
      actor: actor ?? null,
      tag: batch.tag,
      input: batch.source.input,
      path: batch.source.path ?? null,
      offset: batch.offsets[i]!,
      original: bytes.subarray(0, SHOWN_BYTES).toString(),
    });
  }
}

/** Names with `*`, several with commas between them. */
function globs(text: string | undefined): ((name: string) => boolean) | undefined {
  const patterns = (text ?? "").split(",").map((pattern) => pattern.trim());
  const given = patterns.filter((pattern) => pattern !== "").slice(0, 20);
  if (given.length === 0) return undefined;
  const globs = given.map((pattern) => pattern.slice(0, 256).toLowerCase());
  return (name) => globs.some((glob) => globMatches(glob, name.toLowerCase()));
}
