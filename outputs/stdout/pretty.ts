/** Entries for people: time, level, event, who, what, and how it went, on one line. */
import type { FieldReader, RecordBatch } from "../../agent/api/batch.ts";
import { Level, levelNames, TimeKind, View, viewFields } from "../../agent/api/view.ts";

export const prettyFields: readonly string[] = [
  ...new Set([
    ...viewFields.time,
    ...viewFields.level,
    ...viewFields.event,
    ...viewFields.actor,
    ...viewFields.resource,
    ...viewFields.outcome,
    ...viewFields.ip,
  ]),
];

const COLOURS = { [Level.debug]: 2, [Level.info]: 36, [Level.warning]: 33, [Level.error]: 31 } as const;
/** Longest part of a line: an entry may hold megabytes. */
const MAX_PART = 200;

export class Pretty {
  readonly #view: View;
  readonly #colours: boolean;

  constructor(fields: FieldReader, colours: boolean) {
    this.#view = new View(fields);
    this.#colours = colours;
  }

  line(batch: RecordBatch, index: number): string {
    const view = this.#view;
    const time = view.time(batch, index);
    const at = new Date(time.kind === TimeKind.exact ? time.ms : batch.readTime).toISOString();
    if (!view.isObject(batch, index))
      return `${this.#paint(2, at)} ${this.#paint(33, "TEXT   ")} ${tame(batch.bytes(index).toString())}`;
    const level = view.level(batch, index);
    const word = (level === Level.none ? "-" : levelNames[level]!).toUpperCase().padEnd(7);
    const { type, id } = view.resource(batch, index);
    const parts = [
      view.event(batch, index).name || "-",
      labelled("actor", view.actor(batch, index)),
      labelled("resource", type !== undefined && id !== undefined ? `${type}/${id}` : (type ?? id)),
      labelled("ip", view.ip(batch, index)),
      view.outcome(batch, index) ?? "",
    ];
    const colour = level === Level.none ? 2 : COLOURS[level];
    return `${this.#paint(2, at)} ${this.#paint(colour, word)} ${parts
      .filter((part) => part !== "")
      .map(tame)
      .join("  ")}`;
  }

  #paint(code: number, text: string): string {
    return this.#colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  }
}

const labelled = (name: string, value: string | undefined) => (value === undefined ? "" : `${name}=${value}`);

/** Entries come from anybody: what could move the cursor, colour or reorder the terminal's text is shown as an escape. */
export function tame(text: string): string {
  const short = text.length > MAX_PART ? `${text.slice(0, MAX_PART)}…` : text;
  return short.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}
