/**
 * Entries as real writers write them, without end: the corpora's own lines (dashboard chain, wiki events, agent audit, application chains),
 * each made unique by a number, and now and then what else is found in real logs. Seeded, so that a run can be repeated.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Kind = "dashboard" | "wiki" | "agent";

const OWN = join(import.meta.dirname, "../../corpora/logs");
/** More of the same, where somebody has it. */
const MORE = process.env.AUDIT_CORPORA ?? join(import.meta.dirname, "../../../../shared/corpora");
const CHAINS = ["dashboard-nasty", "dashboard-raw-utf8", "agent-plain", "agent-extra-field", "app-plain"];
const SOURCES: Record<Kind, RegExp> = {
  dashboard: /dashboard/,
  wiki: /wiki-events|app/,
  agent: /agent-/,
};

/** Values of `details` in all the shapes there are; the last ones only now and then. */
const DETAILS = [
  '"prd=./prd.md,provider=claude,tier=a=b"',
  '{"provider":"claude","n":1.0,"deep":{"list":[1,{"x":"Zoë 🙂 \u2028"}]}}',
  '{"big":123456789012345678901234567890,"tiny":-1.5e-10,"zero":-0.0,"one":1.0,"limit":9007199254740993}',
  '{"not a number":NaN,"list":[Infinity, -Infinity,null],"":1," ":2,"a.":3}',
  "null",
  "12.50",
  "true",
  '{"lone":"\\ud800","nul":"\\u0000","raw":"李雷 \u{1f4e6}"}',
];
const HUGE = ["x".repeat(40_000), "é".repeat(33_000), '\\"'.repeat(20_000)];

/** No JSON, as bytes; `#` stands for the line's number. */
const GARBAGE = [
  "Traceback (most recent call last): #",
  '{"timestamp": "2026-02-01T10:00:00Z", "action": "cli_invoke", "n": #',
  '{"a":1}{"b":#}',
  '[1,2,"#"]',
  '"text #"',
  "\xff\xfe \xc3 #",
  "nul \x00 byte #",
].map((text) => Buffer.from(text, "latin1"));

/** The line's own number, whatever it is: `"seq": N` or `#` of the garbage. */
export class RealLines {
  readonly #templates: readonly Buffer[];
  readonly #random: () => number;
  /** Numbers of one writer: first, first + step, … */
  #number: number;
  readonly #step: number;

  constructor(kind: Kind, random: () => number, first: number, step: number) {
    this.#templates = templates(SOURCES[kind]);
    this.#random = random;
    this.#number = first;
    this.#step = step;
  }

  /** Without its newline. */
  next(): Buffer {
    const n = this.#number;
    this.#number += this.#step;
    const dice = this.#random();
    if (dice < 0.005) return garbage(this.#pick(GARBAGE), n);
    // A key twice is refused by Elasticsearch, and nothing else here is.
    if (dice < 0.007) return Buffer.from(`{"seq": ${n}, "action": "kill", "twice": 1, "twice": 2}`);
    const template = this.#pick(this.#templates);
    const rest = template.subarray(template.indexOf(0x7b) + 1);
    if (dice < 0.03) {
      const time = `2026-02-0${1 + (n % 2)}T10:00:00.${String(n % 1_000_000).padStart(6, "0")}Z`;
      const details = dice < 0.01 ? `{"value":"${this.#pick(HUGE)}"}` : this.#pick(DETAILS);
      return Buffer.from(`{"seq": ${n}, "timestamp": "${time}", "action": "cli_invoke", "details": ${details}}`);
    }
    return Buffer.concat([Buffer.from(`{"seq": ${n}, `), rest]);
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)]!;
  }
}

function garbage(text: Buffer, n: number): Buffer {
  const at = text.indexOf(0x23);
  return Buffer.concat([text.subarray(0, at), Buffer.from(String(n)), text.subarray(at + 1)]);
}

/** Whole JSON objects of the corpora's files whose names match, without a number of their own. */
function templates(pattern: RegExp): Buffer[] {
  const files = [
    ...readdirSync(OWN).map((name) => join(OWN, name)),
    ...CHAINS.map((name) => join(MORE, "chains", name))
      .filter((folder) => existsSync(folder))
      .flatMap((folder) => readdirSync(folder).map((name) => join(folder, name))),
  ].filter((path) => pattern.test(path.slice(-60)) && /\.(jsonl|log)$/.test(path));
  const lines = files
    .flatMap((path) => readFileSync(path, "latin1").split("\n"))
    .filter((line) => /^\{.+\}$/.test(line) && line.includes('"timestamp"'))
    .map((line) => Buffer.from(line.replace(/"seq": ?\d+, ?/, ""), "latin1"));
  if (lines.length === 0) throw new Error(`no corpora for ${pattern}`);
  return lines;
}
