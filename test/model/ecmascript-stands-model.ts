/** Generates compact JSON as JavaScript might have printed it, and not quite, and compares `stands` with what JavaScript prints. */
import { ecmascriptText } from "../../agent/json/ecmascript.ts";
import { stands } from "../../agent/json/ecmascript-stands.ts";
import { scanJson } from "../../agent/json/explain.ts";
import { viewOf } from "../../agent/json/lexer.ts";
import { seededIntegers } from "../fakes/random.ts";

const PIECES = [
  ..."abZ0_ é😀\u007f\u2028",
  ...[
    "\\n",
    "\\u000a",
    "\\u0041",
    "\\u00E9",
    "\\u00e9",
    "\\/",
    "\\\\",
    '\\"',
    "\\u0000",
    "\\u000b",
    "\\u001f",
    "\\u001F",
    "\\b",
  ],
  ...["\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\uD83D", "\\uffff", "\\udbff\\udfff", "\\ud83d\\uDE00"],
];
const KEYS = [
  "a",
  "b",
  "c",
  "aa",
  "0",
  "1",
  "2",
  "10",
  "01",
  "4294967294",
  "4294967295",
  "é",
  "__proto__",
  "\\u0061",
  "",
];
const NUMBERS = [
  "0",
  "-0",
  "1",
  "15",
  "1.5",
  "1.0",
  "1e5",
  "100000000000000000000",
  "1e21",
  "1e+21",
  "0.1",
  "-3",
  "1e400",
  "5e-7",
];

function generator(seed: number) {
  const next = seededIntegers(seed);
  const below = (n: number) => next() % n;
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const list = (n: number, make: () => string) => Array.from({ length: n }, make);
  const space = () => (below(60) ? "" : pick([" ", "\n"]));
  const string = () => `"${list(below(5), () => pick(PIECES)).join("")}"`;
  const key = () => (below(5) ? `"${pick(KEYS)}"` : string());
  const value = (depth: number): string => {
    const kind = below(depth > 3 ? 5 : 8);
    if (kind < 2) return string();
    if (kind < 4) return below(2) ? pick(NUMBERS) : String(next() / 2 ** below(40));
    if (kind < 5) return pick(["true", "false", "null", below(20) ? "null" : "NaN"]);
    if (kind < 6) return `[${list(below(4), () => value(depth + 1)).join(`,${space()}`)}]`;
    return `{${list(below(5), () => `${key()}:${space()}${value(depth + 1)}`).join(",")}${space()}}`;
  };
  return () => value(0);
}

/** The first value that stands, and is printed otherwise; undefined where there is none. */
export function compareStanding(seed: number, values: number): { text: string; printed: string } | undefined {
  const next = generator(seed);
  let standing = 0;
  for (let i = 0; i < values; i++) {
    const text = next();
    const bytes = Buffer.from(`{"v":${text}}`);
    const end = bytes.length - 1;
    if (stands(bytes, viewOf(bytes), 5, end) !== end) continue;
    standing++;
    const printed = scanJson(bytes, 5, end) ?? ecmascriptText(bytes, 0, bytes.length, ["v"]).slice(5, -1);
    if (printed !== text) return { text, printed };
  }
  return standing > values / 4 ? undefined : { text: "", printed: `only ${standing} of ${values} stand` };
}
