import { isUtf8 } from "node:buffer";
import { hash } from "node:crypto";
import { ecmascriptText } from "../json/ecmascript.ts";
import { scanRecord } from "../json/explain.ts";
import { skipSpace, viewOf } from "../json/lexer.ts";
import { pythonText } from "../json/python.ts";
import { LEAD, PythonWriter } from "../json/python-writer.ts";
import { decodeString, findMember } from "../json/value.ts";
import { AgentLine } from "./agent-line.ts";
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
  #tip = "";
  /** The tip can be compared and hashed byte by byte. */
  #plainTip = false;
  readonly #writer: Writer;

  constructor(scheme: Scheme, tip: string = scheme.genesis) {
    this.scheme = scheme;
    this.tip = tip;
    this.#writer = writerFor(scheme);
  }

  /** The hash that the next entry has to follow. */
  get tip(): string {
    return this.#tip;
  }

  set tip(hash: string) {
    this.#tip = hash;
    this.#plainTip = /^[ -~]{1,64}$/.test(hash);
  }

  /** The hot path: reads the entry, and where it follows the tip makes it the tip. What the reader knows of it is then the tip alone. */
  next(bytes: Buffer, start: number, end: number): number {
    if (this.#plainTip && this.#followsFast(bytes, start, end)) return Step.follows;
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

  /** Says only of what follows that it does; nothing is known of any other. */
  #followsFast(bytes: Buffer, start: number, end: number): boolean {
    const writer = this.#writer;
    const to = writer.write(bytes, start, end);
    if (to < 0) return false;
    const { out, outView, picked } = writer;
    const stored = picked[0]! + 1;
    if (picked[1]! - stored !== DIGITS + 1 || bytes[stored - 1] !== QUOTE) return false;
    const tip = this.#tip;
    const { name, previous } = this.scheme;
    const view = viewOf(bytes);
    // The tip stands before the text, in the app scheme with a colon between: to be hashed with it, or only to be compared.
    const close = name === "app" ? LEAD - 1 : LEAD;
    const from = close - tip.length;
    if (writer.lead !== tip) out.write(tip, from, "latin1");
    writer.lead = tip;
    out[LEAD - 1] = name === "app" ? COLON : tip.charCodeAt(tip.length - 1);
    if (previous !== undefined && !this.#namesTip(bytes, view, picked[2]!, picked[3]!, outView, from)) return false;
    const digest = hash("sha256", out.subarray(name === "loki-agent" ? LEAD : from, to));
    // In its place before the next entry, and there compared.
    out.write(digest, close - DIGITS, "latin1");
    writer.lead = digest;
    if (!sameDigits(outView, close - DIGITS, view, stored)) return false;
    this.#tip = digest;
    if (name === "loki-agent") this.tipSeq = firstNumber(bytes, start);
    return true;
  }

  /** Whether the value from `start` to `end` is the tip, as the predecessor; the tip's text stands at `at` too. */
  #namesTip(bytes: Buffer, view: DataView, start: number, end: number, text: DataView, at: number): boolean {
    const tip = this.#tip;
    if (this.scheme.name === "app" && tip === this.scheme.genesis) return start === 0 || bytes[start] === NULL;
    if (tip.length !== DIGITS) return isText(bytes, start, end, tip);
    return end - start === DIGITS + 2 && bytes[start] === QUOTE && sameDigits(text, at, view, start + 1);
  }

  #readPython(bytes: Buffer, start: number, end: number): number {
    let from = start;
    let to = end;
    const printed = this.#writer.write(bytes, from, to);
    if (printed < 0 && scanRecord(bytes, from, to) !== undefined) {
      ({ start: from, end: to } = stripped(bytes, start, end));
      if (scanRecord(bytes, from, to) !== undefined) return Entry.malformed;
    }
    from = skipSpace(bytes, from, to);
    // A copy, because readers share the writer.
    this.#text =
      printed >= 0
        ? this.#writer.out.toString("latin1", LEAD, printed)
        : pythonText(bytes, from, to, leftOut(this.scheme));
    return this.#readHashes(bytes, from, to);
  }

  #readAgent(line: Buffer, from: number, to: number): number {
    let [bytes, start, end] = [line, from, to];
    if (!isUtf8(bytes.subarray(start, end))) {
      bytes = Buffer.from(bytes.toString("utf8", start, end));
      [start, end] = [0, bytes.length];
    }
    if (scanRecord(bytes, start, end) !== undefined) return Entry.malformed;
    start = skipSpace(bytes, start, end);
    try {
      this.#text = ecmascriptText(bytes, start, end, [...AGENT_FIELDS, this.scheme.previous!]);
    } catch {
      return Entry.malformed;
    }
    const seq = findMember(bytes, start, end, "seq");
    const token = seq === undefined ? "" : bytes.toString("latin1", seq.start, seq.end);
    if (/^[-\d]/.test(token)) this.seq = Number(token);
    return this.#readHashes(bytes, start, end);
  }

  /** Of a valid object; answers whether it has a hash. */
  #readHashes(bytes: Buffer, start: number, end: number): number {
    const { name, hash: hashKey, previous: previousKey, genesis } = this.scheme;
    if (previousKey !== undefined) {
      const before = findMember(bytes, start, end, previousKey);
      if (before !== undefined && bytes[before.start] === QUOTE) {
        this.previous = decodeString(bytes, before.start, before.end);
      } else if (name === "app" && (before === undefined || bytes[before.start] === NULL)) {
        this.previous = genesis;
      }
    }
    const own = findMember(bytes, start, end, hashKey);
    if (own === undefined || bytes[own.start] === NULL) return Entry.stripped;
    if (bytes[own.start] === QUOTE) this.stored = decodeString(bytes, own.start, own.end);
    return Entry.chained;
  }
}

/** Hexadecimal digits of a hash. */
const DIGITS = 64;
const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const NULL = 0x6e;

/** Digits are ASCII, so that doubles are equal where the bytes are. */
function sameDigits(a: DataView, from: number, b: DataView, start: number): boolean {
  for (let i = 0; i < DIGITS; i = (i + 8) | 0) {
    if (a.getFloat64((from + i) | 0) !== b.getFloat64((start + i) | 0)) return false;
  }
  return true;
}

/** Whether a string's span is just `text`, in quotes. */
function isText(bytes: Buffer, start: number, end: number, text: string): boolean {
  if (end - start !== text.length + 2 || bytes[start] !== QUOTE) return false;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + 1 + i]) return false;
  return true;
}

/** Keys that are not hashed. */
function leftOut({ hash, previous }: Scheme): string[] {
  return previous === undefined ? [hash] : [hash, previous];
}

/** An agent's entry begins with its sequence number; undefined where that is none. */
function firstNumber(bytes: Buffer, start: number): number | undefined {
  const from = start + '{"seq":'.length;
  const number = Number(bytes.toString("latin1", from, bytes.indexOf(COMMA, from)));
  return Number.isNaN(number) ? undefined : number;
}

type Writer = PythonWriter | AgentLine;

/** They have large buffers, and hold nothing from one call to the next: chains share them. */
const writers = new Map<string, Writer>();

function writerFor(scheme: Scheme): Writer {
  const { name, hash, previous = "" } = scheme;
  const keys = leftOut(scheme);
  const id = JSON.stringify([name === "loki-agent", ...keys]);
  const writer = writers.get(id) ?? (name === "loki-agent" ? new AgentLine(hash, previous) : new PythonWriter(keys));
  writers.set(id, writer);
  return writer;
}
