/** Generates JSON text of all spellings, spoilt here and there, and compares the fast writer of Python's form with the plain one. */
import { scanRecord } from "../../agent/json/explain.ts";
import { pythonText } from "../../agent/json/python.ts";
import { LEAD, PythonWriter } from "../../agent/json/python-writer.ts";
import { seededIntegers } from "../fakes/random.ts";

const WITHOUT = ["_integrity_hash", "hash"];
const PIECES = [
  ..."abZ0_ é😀\u007f\u2028",
  ...["\\n", "\\u000a", "\\u0041", "\\u00E9", "\\u00e9", "\\/", "\\\\", '\\"', "\\u0000", "\\b", "\\u0008", "\\u007f"],
  ...["\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\uD83D", "\\uffff", "\\udbff\\udfff"],
];
const KEYS = ["a", "b", "c", "aa", "ab", "hash", "_integrity_hash", "é", "z", "\\u0061", "\\uffff", "😀"];
const NUMBERS = [
  "-0",
  "0",
  "-0.0",
  "0.0",
  "1e400",
  "-1e400",
  "0.0001",
  "0.00001",
  "0.00010",
  "100.00",
  "1e16",
  "1E5",
  "5e-324",
];
const LONG_NUMBERS = [
  "123456789012345678901234567890",
  "1234567890123456.5",
  "123456789012345.5",
  "9007199254740993.0",
];
const SPACE = [" ", "  ", "\t", "\n ", "\r"];

/** Objects as JSON text, of all spellings; some of them spoilt. */
export function objectTexts(next: () => number, { spoil }: { spoil: boolean }): () => string {
  const below = (n: number) => next() % n;
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const times = (n: number, make: (i: number) => string) => Array.from({ length: n }, (_, i) => make(i)).join("");
  const space = () => (below(6) ? "" : pick(SPACE));
  const usual = () => (below(8) ? " " : pick(["", ...SPACE]));
  const string = () => `"${times(below(12), () => pick(PIECES))}"`;
  const float = new DataView(new ArrayBuffer(8));
  const number = () => {
    const fraction = below(1e9) / 1e9;
    float.setUint32(0, next());
    float.setUint32(4, next());
    const any = float.getFloat64(0);
    return pick([
      () => pick([...NUMBERS, ...LONG_NUMBERS]),
      () => String(below(1000)),
      () => (fraction * 10 ** below(12)).toFixed(below(17)),
      () => `${below(1e6)}e${below(60) - 30}`,
      () => `${below(1e6)}.${below(1e6)}E+${below(300)}`,
      () => String((next() / 2 ** 32 + next()) * 10 ** -below(14)),
      () => (Number.isFinite(any) ? String(any) : "NaN"),
    ])();
  };
  const value = (depth: number): string => {
    const kind = below(depth > 4 ? 6 : 9);
    if (kind < 2) return string();
    if (kind < 4) return number();
    if (kind < 5) return pick(["true", "false", "null"]);
    if (kind < 6) return pick(["NaN", "Infinity", "-Infinity"]);
    return kind < 7 ? array(depth + 1) : object(depth + 1);
  };
  const array = (depth: number): string =>
    `[${space()}${times(below(4), (i) => (i ? `,${usual()}` : "") + value(depth) + space())}]`;
  const key = () => (below(3) ? `"${pick(KEYS)}"` : string());
  const object = (depth: number): string => {
    const members = below(20) ? below(6) : 30 + below(20);
    const member = (i: number) =>
      `${i ? `${space()},${usual()}` : ""}${key()}${space()}:${usual()}${value(members > 20 ? 5 : depth)}`;
    return `{${space()}${times(members, member)}${space()}}`;
  };
  const spoilt = (text: string) => {
    if (!spoil || below(20)) return text;
    const at = below(text.length);
    return text.slice(0, at) + pick(["", '"', "{", "}", "\u0001", "\\", "9", ","]) + text.slice(at + below(3));
  };
  return () => spoilt(object(0));
}

function generator(seed: number) {
  const next = seededIntegers(seed);
  const below = (n: number) => next() % n;
  const objects = objectTexts(next, { spoil: true });
  const behind = ["", "\n", "}}}", ' "', '": 1}'];
  return () => {
    const text = objects();
    const bytes = Buffer.from(`}}${text}${behind[below(behind.length)]}`);
    const end = 2 + Buffer.byteLength(text);
    if (below(30) === 0 && end > 8) bytes[4 + below(end - 5)] = 0xff;
    return { bytes, start: 2, end };
  };
}

/** The first entry on which they differ; undefined where there is none. */
export function compare(seed: number, entries: number): { text: string; expected: string; got: string } | undefined {
  const next = generator(seed);
  const writer = new PythonWriter(WITHOUT);
  let fast = 0;
  for (let i = 0; i < entries; i++) {
    const { bytes, start, end } = next();
    const to = writer.write(bytes, start, end);
    if (to < 0) continue;
    fast++;
    const text = bytes.toString("utf8", start, end);
    const got = writer.out.toString("latin1", LEAD, to);
    const why = scanRecord(bytes, start, end);
    if (why !== undefined) return { text, expected: why, got };
    const expected = pythonText(bytes, start, end, WITHOUT);
    if (got !== expected) return { text, expected, got };
  }
  // Whatever is valid and of usual size is the fast path's.
  if (fast < entries * 0.8) return { text: "", expected: "most entries written fast", got: `${fast} of ${entries}` };
  return undefined;
}
