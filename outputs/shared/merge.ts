/**
 * Merging additions into one JSON object, as bytes: what the entry wrote stays byte for byte, what is added is spliced between.
 *
 * Per top-level key of the additions: absent → appended; `null` → becomes the object; an object → spliced in, the entry's own members
 * win; anything else stays, and the additions go under `agent_<key>`. Where even that is taken they are left out.
 */
import { lexed, skipKey, skipValue, viewOf } from "../../agent/json/lexer.ts";
import { decodeString, eachMember, findMember, type Span } from "../../agent/json/value.ts";
import { type Group, type Member, member } from "./additions.ts";
import type { ByteWriter } from "./writer.ts";

const KIND = { absent: 0, null: 1, object: 2, other: 3 } as const;
type Kind = (typeof KIND)[keyof typeof KIND];

const ABSENT: Span = { start: -1, end: -1 };

interface Edit {
  readonly at: number;
  readonly until: number;
  readonly text: Buffer;
}

export interface MergeResult {
  /** Additions went under `agent_<key>`. */
  moved: boolean;
  /** Additions were left out, because `agent_<key>` is taken as well. */
  dropped: boolean;
}

/**
 * Writes the object `buffer[start..end)`, which must be valid JSON, with `groups` and `extra` (ready members) merged in.
 * `own` finds the entry's own value of a group's key (a start below 0: it has none); where it answers undefined, the object is walked.
 */
export function merge(
  buffer: Buffer,
  start: number,
  end: number,
  groups: readonly Group[],
  writer: ByteWriter,
  extra?: Buffer,
  own: (group: Group) => Span | undefined = () => undefined,
): MergeResult {
  const close = closingBrace(buffer, end);
  const result: MergeResult = { moved: false, dropped: false };
  const find = (group: Group) => own(group) ?? findLast(buffer, start, end, group.key);
  const placed = groups.map((group) => ({ group, span: find(group), members: group.members }));
  const moved = displaced(buffer, placed);
  for (const [key, members] of moved) {
    result.moved = true;
    const target = placed.find((p) => p.group.key === key);
    if (target) target.members = unite(target.members, members);
    else {
      const group: Group = { key, column: -1, whole: undefined, members, texts: new Map() };
      placed.push({ group, span: findLast(buffer, start, end, key), members });
    }
  }
  const edits: Edit[] = [];
  const tail: Buffer[] = [];
  for (const { group, span, members } of placed) {
    const kind = span.start < 0 ? KIND.absent : kindOf(buffer, span.start);
    if (kind === KIND.absent) tail.push(newMember(group, members));
    else if (members.length === 0) continue;
    else if (kind === KIND.null) edits.push({ at: span.start, until: span.end, text: objectOf(members) });
    else if (kind === KIND.object) splice(buffer, span, members, edits);
    else if (moved.has(group.key)) result.dropped = true;
  }
  if (extra !== undefined && extra.length > 0) tail.push(extra);
  write(buffer, start, close, edits, tail, writer);
  return result;
}

/** Members that cannot stand under their key, by the key they go to. */
function displaced(
  buffer: Buffer,
  placed: readonly { readonly group: Group; readonly span: Span }[],
): Map<string, readonly Member[]> {
  const moved = new Map<string, readonly Member[]>();
  for (const { group, span } of placed) {
    if (group.members.length === 0) continue;
    const kind = span.start >= 0 ? kindOf(buffer, span.start) : group.whole ? kindOf(group.whole, 0) : KIND.absent;
    if (kind === KIND.other) moved.set(`agent_${group.key}`, group.members);
  }
  return moved;
}

function unite(first: readonly Member[], then: readonly Member[]): Member[] {
  return [...first, ...then.filter((m) => !first.some((f) => f.name === m.name))];
}

/** `"key":value` for a key the entry does not have. */
function newMember(group: Group, members: readonly Member[]): Buffer {
  const { whole } = group;
  const kind = whole ? kindOf(whole, 0) : KIND.absent;
  if (whole === undefined || (kind === KIND.null && members.length > 0)) {
    return member(group.key, objectOf(members)).text;
  }
  if (kind !== KIND.object || members.length === 0) return member(group.key, whole).text;
  const missing = without(whole, { start: 0, end: whole.length }, members);
  const close = closingBrace(whole, whole.length);
  const parts = [whole.subarray(0, close)];
  joinMembers(parts, missing, isEmpty(whole, close));
  parts.push(Buffer.from("}"));
  return member(group.key, Buffer.concat(parts)).text;
}

function objectOf(members: readonly Member[]): Buffer {
  const parts = [Buffer.from("{")];
  joinMembers(parts, members, true);
  parts.push(Buffer.from("}"));
  return Buffer.concat(parts);
}

const COMMA = Buffer.from(",");

function joinMembers(parts: Buffer[], members: readonly Member[], empty: boolean): void {
  for (const { text } of members) {
    if (!empty) parts.push(COMMA);
    parts.push(text);
    empty = false;
  }
}

function splice(buffer: Buffer, span: Span, members: readonly Member[], edits: Edit[]): void {
  const missing = without(buffer, span, members);
  if (missing.length === 0) return;
  const close = span.end - 1;
  const parts: Buffer[] = [];
  joinMembers(parts, missing, isEmpty(buffer, close));
  edits.push({ at: close, until: close, text: parts.length === 1 ? parts[0]! : Buffer.concat(parts) });
}

/**
 * The usual case of `merge`, without its lists: the only group's members go into the object at `from..to` of the record, nothing is
 * moved. Answers false, having written nothing, where the value there is no object.
 */
export function mergeInto(
  buffer: Buffer,
  start: number,
  end: number,
  from: number,
  to: number,
  group: Group,
  writer: ByteWriter,
  extra?: Buffer,
): boolean {
  if (buffer[from] !== 0x7b || group.members.length > MASK_BITS) return false;
  const text = textFor(group, present(buffer, from, to, group.members));
  const inner = to - 1;
  const close = closingBrace(buffer, end);
  writer.ensure(close - start + text.length + (extra?.length ?? 0) + 2);
  const into = writer.buffer;
  let at = writer.length;
  at += buffer.copy(into, at, start, inner);
  if (text.length > 0) {
    // `set` of a whole array takes half of what `copy` takes.
    const skipped = isEmpty(buffer, inner) ? 1 : 0;
    if (skipped > 0) text.copy(into, at, skipped);
    else into.set(text, at);
    at += text.length - skipped;
  }
  at += buffer.copy(into, at, inner, close);
  if (extra !== undefined && extra.length > 0) {
    into[at++] = 0x2c;
    into.set(extra, at);
    at += extra.length;
  }
  into[at++] = 0x7d;
  writer.length = at;
  return true;
}

const MASK_BITS = 20;

/** `,"a":1,"b":2` of the members whose bits are not set. */
function textFor({ members, texts }: Group, mask: number): Buffer {
  let text = texts.get(mask);
  if (text === undefined) {
    const missing = members.filter((_, i) => (mask & (1 << i)) === 0);
    text = Buffer.concat(missing.flatMap((m) => [COMMA, m.text]));
    texts.set(mask, text);
  }
  return text;
}

/** A bit for each of the members whose name the object has. */
function present(buffer: Buffer, start: number, end: number, members: readonly Member[]): number {
  const view = viewOf(buffer);
  let mask = 0;
  let p = skipSpace(buffer, start + 1);
  while (buffer[p] === 0x22) {
    const { escapes } = lexed;
    const value = skipKey(buffer, view, p, end);
    const { keyEnd } = lexed;
    for (let i = 0; i < members.length; i++) {
      const member = members[i]!;
      const same =
        escapes === lexed.escapes ? hasBytes(buffer, p, keyEnd, member.raw) : sameName(buffer, p, keyEnd, member);
      if (same) mask |= 1 << i;
    }
    p = skipSpace(buffer, skipValue(buffer, view, value, end));
    if (buffer[p] === 0x2c) p = skipSpace(buffer, p + 1);
  }
  return mask;
}

/** The members whose names the object does not have. */
function without(buffer: Buffer, object: Span, members: readonly Member[]): readonly Member[] {
  let missing: readonly Member[] = members;
  eachMember(buffer, skipSpace(buffer, object.start), object.end, (keyStart, keyEnd) => {
    const hit = missing.find((m) => sameName(buffer, keyStart, keyEnd, m));
    if (hit) missing = missing.filter((m) => m !== hit);
    return missing.length > 0;
  });
  return missing;
}

function write(buffer: Buffer, start: number, close: number, edits: Edit[], tail: Buffer[], writer: ByteWriter): void {
  edits.sort((a, b) => a.at - b.at);
  let from = start;
  for (const { at, until, text } of edits) {
    writer.bytes(buffer, from, at);
    writer.bytes(text);
    from = until;
  }
  writer.bytes(buffer, from, close);
  let empty = isEmpty(buffer, close);
  for (const text of tail) {
    if (!empty) writer.byte(0x2c);
    writer.bytes(text);
    empty = false;
  }
  writer.byte(0x7d);
}

/** Index of the closing brace of an object that ends, white space aside, at `end`. */
export function closingBrace(buffer: Buffer, end: number): number {
  let close = end - 1;
  while (buffer[close] !== 0x7d) close--;
  return close;
}

/** Whether the object that closes at `close` has no members: nothing else can end in an opening brace. */
export function isEmpty(buffer: Buffer, close: number): boolean {
  let at = close - 1;
  while (isSpace(buffer[at]!)) at--;
  return buffer[at] === 0x7b;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function kindOf(buffer: Buffer, start: number): Kind {
  const at = skipSpace(buffer, start);
  return buffer[at] === 0x7b ? KIND.object : buffer[at] === 0x6e ? KIND.null : KIND.other;
}

/** The value of the last member of that name: of duplicates the last counts. */
function findLast(buffer: Buffer, start: number, end: number, key: string): Span {
  return findMember(buffer, skipSpace(buffer, start), end, key) ?? ABSENT;
}

/** Whether the key at `start..end` (with its quotes) says the member's name, however it is escaped. */
function sameName(buffer: Buffer, start: number, end: number, { name, raw }: Member): boolean {
  if (hasBytes(buffer, start, end, raw)) return true;
  for (let at = start; at < end; at++) if (buffer[at] === 0x5c) return decodeString(buffer, start, end) === name;
  return false;
}

/** Whether the key at `start..end` (with its quotes) is these bytes. */
function hasBytes(buffer: Buffer, start: number, end: number, raw: Buffer): boolean {
  if (raw.length !== end - start - 2) return false;
  let i = 0;
  while (i < raw.length && raw[i] === buffer[start + 1 + i]) i++;
  return i === raw.length;
}

function skipSpace(buffer: Buffer, at: number): number {
  while (isSpace(buffer[at]!)) at++;
  return at;
}
