/**
 * The one normalised view of an entry: what happened, who did it, when, how bad, with what outcome - whichever writer wrote it. Filters,
 * outputs and commands read entries through it; no other place knows these field names.
 */
import { SpanMemo } from "../json/memo.ts";
import { decodeScalar, decodeString, findMember } from "../json/value.ts";
import { type FieldReader, type RecordBatch, SpanFlag, type Spans } from "./batch.ts";
import { Level, levelOf, levelOfNames, levelOfNumber } from "./view-level.ts";
import { EntryTime, parseEpoch, parseTime, TimeKind } from "./view-time.ts";

export { Level, levelNames, levelOf, levelWords } from "./view-level.ts";
export { EntryTime, TimeKind } from "./view-time.ts";

const EVENT = ["event", "what", "event_type", "resource_type", "action"] as const;
const OUTCOME = ["success", "result"] as const;
const LEVEL = ["level", "severity"] as const;

/** Top-level fields per question, best first: what a plugin names in its `fields` to ask that question. */
export const viewFields = {
  event: EVENT,
  /** With `level` derived where there is none. */
  level: [...LEVEL, ...EVENT, ...OUTCOME],
  outcome: OUTCOME,
  actor: ["actor", "user_id", "user", "who", "token_id", "agent"],
  time: ["timestamp", "@timestamp", "time", "ts"],
  ip: ["ip", "ip_address", "source_ip", "client_ip", "remote_addr", "details"],
  resource: ["resource", "resource_type", "resource_id", "where"],
  category: ["category", ...EVENT],
} as const;

/** Fields of every question. */
export const allViewFields: readonly string[] = [...new Set(Object.values(viewFields).flat())];

/** What happened. One object per distinct event; the same one is handed out again and again. */
export interface EventNames {
  /** Distinct per distinct event of one `View`; for memos of one's own. */
  readonly id: number;
  /** `session.start`; "" where the entry names none. */
  readonly name: string;
  /** Everything the entry can be asked for by, `name` first: `session.start`, `start`. */
  readonly names: readonly string[];
  /** What the names alone say of the level. */
  readonly level: Level;
}

export type Outcome = "success" | "failure" | undefined;

const NO_EVENT: EventNames = { id: 0, name: "", names: [], level: Level.info };
const SUCCESS = new Set(["true", "1", "success", "succeeded", "successful", "ok", "allowed", "granted", "passed"]);
const FAILURE = new Set([
  ...["false", "0", "failure", "failed", "fail", "error", "denied", "deny", "refused", "rejected", "unauthorized"],
  ...["forbidden", "blocked"],
]);
/** Where an actor or a resource is an object: the members that name it, best first. */
const NAME_MEMBERS = ["id", "name", "username", "user_id", "email", "login"] as const;

export class View {
  readonly #fields: FieldReader;
  readonly #columns: Readonly<Record<string, number>>;
  readonly #events: SpanMemo<EventNames>;
  readonly #levels: SpanMemo<Level>;
  readonly #outcomes: SpanMemo<Outcome>;
  readonly #lists: { readonly [Q in "actor" | "time" | "ip"]: readonly number[] };
  readonly #success: number;
  readonly #time = new EntryTime();
  #ids = 0;

  /** Sees only the fields that plugins of the pipeline named; the others count as absent. */
  constructor(fields: FieldReader) {
    this.#fields = fields;
    this.#columns = Object.fromEntries(allViewFields.map((field) => [field, fields.column(field)]));
    this.#success = fields.column("success");
    const columns = (names: readonly string[]) => names.map((name) => this.#columns[name]!).filter((c) => c >= 0);
    this.#events = new SpanMemo(columns(EVENT), 1024, (bytes, spans, i) => this.#readEvent(bytes, spans, i));
    this.#levels = new SpanMemo(columns(LEVEL), 64, (bytes, spans, i) => this.#readLevel(bytes, spans, i));
    this.#outcomes = new SpanMemo(columns(OUTCOME), 256, (bytes, spans, i) => this.#readOutcome(bytes, spans, i));
    this.#lists = {
      actor: columns(viewFields.actor),
      time: columns(viewFields.time),
      ip: columns(viewFields.ip.filter((field) => field !== "details")),
    };
  }

  /** False for plain and cut lines and what is no JSON object: no question about them has an answer. */
  isObject(batch: RecordBatch, i: number): boolean {
    return (this.#fields.spans(batch).flags(i) & SpanFlag.notObject) === 0;
  }

  event(batch: RecordBatch, i: number): EventNames {
    return this.#events.get(batch.buffer, this.#fields.spans(batch), i);
  }

  /** The level its writer gave; none where it gave none, or an unknown one. */
  writtenLevel(batch: RecordBatch, i: number): Level {
    return this.#levels.get(batch.buffer, this.#fields.spans(batch), i);
  }

  /** The level its writer gave, else by the table; none for what is no object. */
  level(batch: RecordBatch, i: number): Level {
    const spans = this.#fields.spans(batch);
    if ((spans.flags(i) & SpanFlag.notObject) !== 0) return Level.none;
    const written = this.#levels.get(batch.buffer, spans, i);
    if (written !== Level.none) return written;
    const { level } = this.#events.get(batch.buffer, spans, i);
    if (level >= Level.warning) return level;
    return this.#outcome(batch.buffer, spans, i) === "failure" ? Level.warning : level;
  }

  outcome(batch: RecordBatch, i: number): Outcome {
    return this.#outcome(batch.buffer, this.#fields.spans(batch), i);
  }

  #outcome(bytes: Buffer, spans: Spans, i: number): Outcome {
    const start = this.#success < 0 ? 0 : spans.start(i, this.#success);
    const first = start === 0 ? 0 : bytes[start];
    // true and false, as most entries have it, need no memo.
    if (first === 0x74) return "success";
    return first === 0x66 ? "failure" : this.#outcomes.get(bytes, spans, i);
  }

  /** Who did it; undefined where nobody is named. Of an object its id or name. */
  actor(batch: RecordBatch, i: number): string | undefined {
    return this.#firstName(batch, i, this.#lists.actor);
  }

  /** The address the request came from: a field of its own, else `ip` or `ip_address` in `details`. */
  ip(batch: RecordBatch, i: number): string | undefined {
    const own = this.#firstName(batch, i, this.#lists.ip);
    if (own !== undefined) return own;
    const spans = this.#fields.spans(batch);
    return (
      this.#member(batch.buffer, spans, i, "details", "ip") ??
      this.#member(batch.buffer, spans, i, "details", "ip_address")
    );
  }

  /** What it was done to. */
  resource(batch: RecordBatch, i: number): { type: string | undefined; id: string | undefined } {
    const { buffer } = batch;
    const spans = this.#fields.spans(batch);
    const type = this.#text(buffer, spans, i, "resource_type") ?? this.#member(buffer, spans, i, "resource", "type");
    const id =
      this.#text(buffer, spans, i, "resource_id") ??
      this.#name(buffer, spans, i, this.#columns.resource ?? -1) ??
      this.#text(buffer, spans, i, "where");
    return { type, id };
  }

  /** Kind of event: `category`, `event_type`, `resource_type`, else what stands before the first dot of a name. */
  category(batch: RecordBatch, i: number): string | undefined {
    const { buffer } = batch;
    const spans = this.#fields.spans(batch);
    for (const field of ["category", "event_type", "resource_type"]) {
      const text = this.#text(buffer, spans, i, field);
      if (text !== undefined) return text;
    }
    const { name } = this.event(batch, i);
    const dot = name.indexOf(".");
    return dot > 0 ? name.slice(0, dot) : undefined;
  }

  /** When it happened, by the first of the time fields that is one. The object is overwritten by the next call. */
  time(batch: RecordBatch, i: number): EntryTime {
    const { buffer } = batch;
    const spans = this.#fields.spans(batch);
    const time = this.#time;
    let kind: number = TimeKind.none;
    let best = -1;
    for (const column of this.#lists.time) {
      const found = readTime(buffer, spans, i, column, time);
      if (found === TimeKind.exact) return time;
      // A time without a zone is better than none, wherever it stands.
      if (found === TimeKind.noZone ? kind !== TimeKind.noZone : kind === TimeKind.none && found !== TimeKind.none) {
        kind = found;
        best = column;
      }
    }
    if (best >= 0) readTime(buffer, spans, i, best, time);
    else clear(time);
    return time;
  }

  #readEvent(bytes: Buffer, spans: Spans, i: number): EventNames {
    const event = this.#string(bytes, spans, i, "event");
    const what = this.#string(bytes, spans, i, "what");
    const type = this.#string(bytes, spans, i, "event_type");
    const resource = this.#string(bytes, spans, i, "resource_type");
    const action = this.#string(bytes, spans, i, "action");
    const names: string[] = [];
    push(names, event);
    push(names, what);
    push(names, joined(type, action));
    push(names, joined(resource, action));
    push(names, action ?? type);
    if (names.length === 0) return NO_EVENT;
    return { id: ++this.#ids, name: names[0]!, names, level: levelOfNames(names) };
  }

  #readLevel(bytes: Buffer, spans: Spans, i: number): Level {
    for (const field of LEVEL) {
      const text = this.#text(bytes, spans, i, field);
      if (text === undefined) continue;
      const level = /^\d/.test(text) ? levelOfNumber(Number(text)) : levelOf(text);
      if (level !== Level.none) return level;
    }
    return Level.none;
  }

  #readOutcome(bytes: Buffer, spans: Spans, i: number): Outcome {
    for (const field of OUTCOME) {
      const word = this.#text(bytes, spans, i, field)?.toLowerCase();
      if (word === undefined) continue;
      if (SUCCESS.has(word)) return "success";
      if (FAILURE.has(word)) return "failure";
    }
    return undefined;
  }

  #firstName(batch: RecordBatch, i: number, columns: readonly number[]): string | undefined {
    const spans = this.#fields.spans(batch);
    for (const column of columns) {
      const name = this.#name(batch.buffer, spans, i, column);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  /** A scalar's text, or what names an object. */
  #name(bytes: Buffer, spans: Spans, i: number, column: number): string | undefined {
    const start = column < 0 ? 0 : spans.start(i, column);
    if (start === 0) return undefined;
    const end = spans.end(i, column);
    if (bytes[start] !== 0x7b) return scalar(bytes, start, end);
    for (const key of NAME_MEMBERS) {
      const found = findMember(bytes, start, end, key);
      const text = found && scalar(bytes, found.start, found.end);
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** A scalar's text; undefined for absent, null, empty, objects and arrays. */
  #text(bytes: Buffer, spans: Spans, i: number, field: string): string | undefined {
    const column = this.#columns[field]!;
    const start = column < 0 ? 0 : spans.start(i, column);
    return start === 0 ? undefined : scalar(bytes, start, spans.end(i, column));
  }

  /** A string's text; undefined for everything else, and for an empty one. */
  #string(bytes: Buffer, spans: Spans, i: number, field: string): string | undefined {
    const column = this.#columns[field]!;
    const start = column < 0 ? 0 : spans.start(i, column);
    return start !== 0 && bytes[start] === 0x22
      ? decodeString(bytes, start, spans.end(i, column)) || undefined
      : undefined;
  }

  #member(bytes: Buffer, spans: Spans, i: number, field: string, key: string): string | undefined {
    const column = this.#columns[field]!;
    const start = column < 0 ? 0 : spans.start(i, column);
    if (start === 0) return undefined;
    const found = findMember(bytes, start, spans.end(i, column), key);
    return found && scalar(bytes, found.start, found.end);
  }
}

function scalar(bytes: Buffer, start: number, end: number): string | undefined {
  return decodeScalar(bytes, start, end) || undefined;
}

function push(names: string[], name: string | undefined): void {
  if (name !== undefined && !names.includes(name)) names.push(name);
}

/** `session` + `start` = `session.start`; `session` + `session.start` is that already. */
function joined(kind: string | undefined, action: string | undefined): string | undefined {
  if (kind === undefined || action === undefined) return undefined;
  return action.startsWith(`${kind}.`) ? action : `${kind}.${action}`;
}

function clear(time: EntryTime): void {
  time.kind = TimeKind.none;
  time.strict = false;
  time.start = 0;
  time.end = 0;
}

function readTime(bytes: Buffer, spans: Spans, i: number, column: number, time: EntryTime): number {
  const start = spans.start(i, column);
  const end = spans.end(i, column);
  clear(time);
  const first = bytes[start]!;
  if (start === 0 || first === 0x6e) return TimeKind.none;
  time.start = start;
  time.end = end;
  if (first !== 0x22) return parseEpoch(end - start > 64 ? "" : bytes.toString("latin1", start, end), time);
  if (parseTime(bytes, start + 1, end - 1, time) !== TimeKind.invalid || end - start > 512) return time.kind;
  // Escapes in a time are allowed, and nobody writes them.
  const text = Buffer.from(decodeString(bytes, start, end));
  if (text.length === end - start - 2) return time.kind;
  parseTime(text, 0, text.length, time);
  time.strict = false;
  return time.kind;
}
