import { hash } from "node:crypto";
import { ecmascriptText } from "../json/ecmascript.ts";
import { scanRecord } from "../json/explain.ts";
import { pythonText } from "../json/python.ts";
import { decodeString, findMember } from "../json/value.ts";
import type { Scheme } from "./scheme.ts";
import { stripped } from "./space.ts";

/** What a line is to the chain. */
export const Entry = {
  /** It has a hash, whether that is right or not. */
  chained: 0,
  /** A JSON object without a hash. */
  stripped: 1,
  /** No JSON object. */
  malformed: 2,
} as const;

/** What `next` answers. */
export const Step = {
  /** It follows the tip and is the new tip. */
  follows: 0,
  /** It has a hash and does not follow. The tip stays: `adopt()` goes on from the entry's own hash. */
  breaks: 1,
  stripped: 2,
  malformed: 3,
} as const;

const AGENT_FIELDS = ["seq", "timestamp", "who", "what", "where", "why", "metadata"];

/** Reads the entries of one chain, one after the other. What it answers speaks of the entry read last. */
export class ChainReader {
  readonly scheme: Scheme;
  /** The hash that the next entry has to follow. */
  tip: string;
  /** The hash the entry carries, as text; "" where it is no string. */
  stored = "";
  /** The predecessor it names, genesis for null; undefined where the scheme has none or it is neither string nor null. */
  previous: string | undefined;
  /** The entry's sequence number, in schemes that have one. */
  seq: number | undefined;
  /** The sequence number of the entry whose hash the tip is. */
  tipSeq: number | undefined;
  /** What is hashed, as text: in the dashboard and app schemes without the predecessor. */
  #text = "";

  constructor(scheme: Scheme, tip: string = scheme.genesis) {
    this.scheme = scheme;
    this.tip = tip;
  }

  /** The hot path: reads the entry, and where it follows the tip makes it the tip. */
  next(bytes: Buffer, start: number, end: number): number {
    const entry = this.read(bytes, start, end);
    if (entry === Entry.stripped) return Step.stripped;
    if (entry === Entry.malformed) return Step.malformed;
    if (!this.follows(this.tip)) return Step.breaks;
    this.adopt();
    return Step.follows;
  }

  /** Goes on from the hash of the entry read last. */
  adopt(): void {
    this.tip = this.stored;
    this.tipSeq = this.seq;
  }

  /** Reads without judging. Answers one of `Entry`. */
  read(bytes: Buffer, start: number, end: number): number {
    this.stored = "";
    this.previous = undefined;
    this.seq = undefined;
    this.#text = "";
    return this.scheme.name === "loki-agent" ? this.#readAgent(bytes, start, end) : this.#readPython(bytes, start, end);
  }

  /** Whether the entry's hash is that of its content after `previous`, and it names that one where the scheme does. */
  follows(previous: string): boolean {
    if (this.scheme.previous !== undefined && this.previous !== previous) return false;
    return this.hashAfter(previous) === this.stored;
  }

  /** What the entry's hash would be after `previous`; the agent's own entry says what was before it, whatever is asked. */
  hashAfter(previous: string): string {
    switch (this.scheme.name) {
      case "loki-dashboard":
        return hash("sha256", previous + this.#text);
      case "app":
        return hash("sha256", `${previous}:${this.#text}`);
      case "loki-agent":
        return hash("sha256", this.#text);
    }
  }

  /** Whether the hash fits the content and the predecessor the entry names itself; undefined where it names none. */
  ownHashFits(): boolean | undefined {
    if (this.scheme.previous === undefined) return undefined;
    return this.previous !== undefined && this.hashAfter(this.previous) === this.stored;
  }

  #readPython(bytes: Buffer, start: number, end: number): number {
    let from = start;
    let to = end;
    if (scanRecord(bytes, from, to) !== undefined) {
      ({ start: from, end: to } = stripped(bytes, start, end));
      if (scanRecord(bytes, from, to) !== undefined) return Entry.malformed;
    }
    const { hash: hashKey, previous: previousKey, genesis } = this.scheme;
    this.#text = pythonText(bytes, from, to, previousKey === undefined ? [hashKey] : [hashKey, previousKey]);
    const own = findMember(bytes, from, to, hashKey);
    if (own === undefined || bytes[own.start] === NULL) return Entry.stripped;
    if (bytes[own.start] === QUOTE) this.stored = decodeString(bytes, own.start, own.end);
    if (previousKey !== undefined) {
      const before = findMember(bytes, from, to, previousKey);
      if (before === undefined || bytes[before.start] === NULL) this.previous = genesis;
      else if (bytes[before.start] === QUOTE) this.previous = decodeString(bytes, before.start, before.end);
    }
    return Entry.chained;
  }

  #readAgent(bytes: Buffer, start: number, end: number): number {
    const { hash: hashKey, previous: previousKey } = this.scheme;
    let entry: Record<string, unknown>;
    try {
      entry = JSON.parse(bytes.toString("utf8", start, end)) as typeof entry;
      if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return Entry.malformed;
      this.#text = ecmascriptText(entry, [...AGENT_FIELDS, previousKey!]);
    } catch {
      // The reference dies of an entry nested too deeply to be printed.
      return Entry.malformed;
    }
    const { seq, [previousKey!]: previous, [hashKey]: stored } = entry;
    if (typeof seq === "number") this.seq = seq;
    if (typeof previous === "string") this.previous = previous;
    if (stored === undefined || stored === null) return Entry.stripped;
    if (typeof stored === "string") this.stored = stored;
    return Entry.chained;
  }
}

const QUOTE = 0x22;
const NULL = 0x6e;
