/**
 * The format of dead letters: JSON Lines, one letter a line,
 *   {"time":"2026-…Z","output":"…","reason":"…","attempts":1,"id":"…","tag":"…","path":"…","offset":0,"original":"…"}
 * with `sent` (what else the record had when it was sent, so that it can be sent again just so), and with `original_base64` instead of `original` where the record is not valid UTF-8. With encryption one line holds what one append wrote,
 *   {"encrypted":1,"key_id":"…","salt":"…","records":2,"time":"…","tag":"…","data":"…"}
 * whose data (base64) is lines as above, AES-256-GCM under HKDF-SHA-256(master key, salt), nonce zero (every line has a salt of its own),
 * authenticated with the line's `records` and `time`.
 */
import { isUtf8 } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Addition, Cut, Source } from "../api/batch.ts";
import { type KeyRing, Part, seal, unseal } from "./keys.ts";

/** A record that its destination refused for good. */
export interface DeadLetter {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly output: string;
  readonly reason: string;
  readonly attempts: number;
  readonly id: string;
  readonly tag: string;
  readonly path?: string | undefined;
  readonly offset: number;
  /** The record's bytes as they were read. */
  readonly original: Buffer;
  /** Letters of earlier versions lack it. */
  readonly sent?: Sent | undefined;
}

/** What a record had beside its bytes. */
export interface Sent {
  readonly source: Pick<Source, "id" | "input" | "group" | "facility" | "severity">;
  readonly readTime: number;
  readonly kind: string;
  readonly altered: boolean;
  /** `RecordFlag` bits. */
  readonly flags: number;
  readonly cut?: Cut | undefined;
  /** Values as JSON. */
  readonly additions: readonly (readonly [path: Addition["path"], json: string])[];
}

interface Line {
  readonly time: string;
  readonly output: string;
  readonly reason: string;
  readonly attempts: number;
  readonly id: string;
  readonly tag: string;
  readonly path?: string;
  readonly offset: number;
  readonly original?: string;
  readonly original_base64?: string;
  readonly sent?: Sent;
}

interface Envelope {
  readonly encrypted: number;
  readonly key_id: string;
  readonly salt: string;
  readonly records: number;
  readonly time: string;
  readonly tag: string;
  readonly data: string;
}

function encodeLetter(letter: DeadLetter): string {
  const { time, output, reason, attempts, id, tag, path, offset, original, sent } = letter;
  const line: Line = {
    time: new Date(time).toISOString(),
    output,
    reason,
    attempts,
    id,
    tag,
    ...(path === undefined ? {} : { path }),
    offset,
    ...(isUtf8(original) ? { original: original.toString() } : { original_base64: original.toString("base64") }),
    ...(sent === undefined ? {} : { sent }),
  };
  return `${JSON.stringify(line)}\n`;
}

function decodeLetter(line: Line): DeadLetter {
  const { time, output, reason, attempts, id, tag, path, offset, original, original_base64, sent } = line;
  return {
    time: Date.parse(time),
    output,
    reason,
    attempts,
    id,
    tag,
    path,
    offset,
    original: original_base64 === undefined ? Buffer.from(original ?? "") : Buffer.from(original_base64, "base64"),
    sent,
  };
}

/** Whole lines. */
export function encodeLetters(letters: readonly DeadLetter[], keys: KeyRing, now: number): Buffer {
  if (keys.currentId === 0) return Buffer.from(letters.map(encodeLetter).join(""));
  return sealLetters(letters, keys, keys.currentId, new Date(now).toISOString());
}

function sealLetters(letters: readonly DeadLetter[], keys: KeyRing, keyId: number, time: string): Buffer {
  const plain = Buffer.from(letters.map(encodeLetter).join(""));
  const salt = randomBytes(16);
  const key = keys.derive(keyId, salt, "")!;
  const sealed = seal(key, 0, Part.payload, [plain], authenticated(letters.length, time));
  const envelope: Envelope = {
    encrypted: 1,
    key_id: keyId.toString(16),
    salt: salt.toString("base64"),
    records: letters.length,
    time,
    tag: sealed.tag.toString("base64"),
    data: sealed.parts[0]!.toString("base64"),
  };
  return Buffer.from(`${JSON.stringify(envelope)}\n`);
}

/** A line, with its end, without some of its letters: sealed as it was. Undefined where none is left; one that nobody can read stays as it is. */
export function lineWithout(
  line: Buffer,
  keys: KeyRing,
  path: string,
  isGone: (letter: DeadLetter) => boolean,
): Buffer | undefined {
  const letters = decodeLine(line, keys, path);
  const left = letters.filter((letter) => !isGone(letter));
  if (left.length === letters.length) return Buffer.concat([line, Buffer.from("\n")]);
  if (left.length === 0) return undefined;
  // Of a plain line there is one letter or none.
  const { key_id, time } = parse(line) as Envelope;
  return sealLetters(left, keys, Number.parseInt(key_id, 16), time);
}

const authenticated = (records: number, time: string) => Buffer.from(`${records} ${time}`);

/** How many letters a line holds, and when they were written; undefined for a line that is none. Needs no key. */
export function measureLine(line: Buffer): { records: number; time: number } | undefined {
  const value = parse(line);
  if (!value) return undefined;
  return { records: "encrypted" in value ? value.records : 1, time: Date.parse(value.time) };
}

/** The letters of one line; none where it is damaged. Throws QueueKeyError where its key is missing. */
export function decodeLine(line: Buffer, keys: KeyRing, path: string): DeadLetter[] {
  const value = parse(line);
  if (!value) return [];
  if (!("encrypted" in value)) return [decodeLetter(value)];
  const salt = Buffer.from(value.salt, "base64");
  const key = keys.derive(Number.parseInt(value.key_id, 16), salt, path)!;
  let plain: Buffer;
  try {
    const aad = authenticated(value.records, value.time);
    plain = unseal(key, 0, Part.payload, Buffer.from(value.data, "base64"), aad, Buffer.from(value.tag, "base64"));
  } catch {
    return [];
  }
  return plain
    .toString()
    .split("\n")
    .flatMap((text) => (text === "" ? [] : [decodeLetter(JSON.parse(text) as Line)]));
}

function parse(line: Buffer): Line | Envelope | undefined {
  try {
    const value = JSON.parse(line.toString()) as Line | Envelope | null;
    return typeof value === "object" && value !== null && typeof value.time === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
