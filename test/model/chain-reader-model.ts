/** Entries with hashes that are right, wrong and oddly written: what the reader's fast paths accept, its plain one has to accept too. */
import { ChainReader, Entry, Step } from "../../agent/integrity/reader.ts";
import { type Scheme, type SchemeName, schemeOf } from "../../agent/integrity/scheme.ts";
import { seededIntegers } from "../fakes/random.ts";
import { objectTexts } from "./python-writer-model.ts";

const PLACE = "0123456789abcdef".repeat(4);
const OTHER = "f".repeat(64);

interface Difference {
  readonly text: string;
  readonly fast: boolean;
  readonly plain: boolean;
}

/** The first entry on which they differ; undefined where there is none. */
export function compareReaders(name: SchemeName, seed: number, entries: number): Difference | undefined {
  const scheme = schemeOf(name);
  const next = seededIntegers(seed);
  const below = (n: number) => next() % n;
  const pick = <T>(of: readonly T[]): T => of[below(of.length)]!;
  const objects = objectTexts(next, { spoil: false });
  const reader = new ChainReader(scheme);
  const plain = new ChainReader(scheme);
  let accepted = 0;
  for (let i = 0; i < entries; i++) {
    const { tip } = reader;
    const base =
      name === "loki-agent" ? agentEntry(objects, below, tip) : withMembers(objects(), members(scheme, tip, pick));
    const text = hashed(base, plain, tip, below(3) === 0 ? pick(SPOILERS) : (hash) => `"${hash}"`);
    const bytes = Buffer.from(`{"${text}${pick(["", "\n", "}}}}"])}`);
    const end = 2 + Buffer.byteLength(text);
    const fast = reader.next(bytes, 2, end) === Step.follows;
    const said = plain.read(bytes, 2, end) === Entry.chained && plain.follows(tip);
    if (fast !== said) return { text, fast, plain: said };
    if (fast && reader.tip !== plain.stored) return { text: `${text} tip ${reader.tip}`, fast, plain: said };
    if (fast) accepted++;
    // Now and then a new beginning, so that genesis stays in play.
    if (below(10) === 0) reader.tip = scheme.genesis;
  }
  return accepted > entries / 10
    ? undefined
    : { text: `only ${accepted} of ${entries} accepted`, fast: false, plain: false };
}

/** What stands where the hash belongs. */
const SPOILERS: readonly ((hash: string) => string)[] = [
  (hash) => `"${hash.toUpperCase()}"`,
  (hash) => `"${hash.slice(1)}0"`,
  (hash) => `"${hash}0"`,
  (hash) => `"${hash.slice(1)}"`,
  (hash) => `"\\u00${hash.charCodeAt(0).toString(16)}${hash.slice(1)}"`,
  (hash) => `["${hash}"]`,
  () => "null",
  () => "1",
  () => `"${OTHER}"`,
  (hash) => ` "${hash}"`,
];

/** Members that name hashes; the value of the entry's own is to be put in. */
function members({ hash, previous }: Scheme, tip: string, pick: <T>(of: readonly T[]) => T): string[] {
  const own = pick([
    [`"${hash}": ${PLACE}`],
    [`"${hash}": ${PLACE}`],
    [`"${hash}": "${OTHER}"`, `"${hash}": ${PLACE}`],
    [`"${hash}": ${PLACE}`, `"\\u00${hash.charCodeAt(0).toString(16)}${hash.slice(1)}": ${PLACE}`],
  ]);
  if (previous === undefined) return own;
  const named = tip === "None" ? "null" : `"${tip}"`;
  const before = pick([
    [`"${previous}": ${named}`],
    [`"${previous}": ${named}`],
    [`"${previous}": "${OTHER}"`, `"${previous}": ${named}`],
    [`"${previous}": "${OTHER}"`],
    [`"${previous}": "None"`],
    [`"${previous}": null`],
    [],
  ]);
  return [...before, ...own];
}

function withMembers(object: string, added: readonly string[]): string {
  const inner = object.trim().slice(1, -1).trim();
  return `{${[...(inner === "" ? [] : [inner]), ...added].join(", ")}}`;
}

function agentEntry(objects: () => string, below: (n: number) => number, tip: string): string {
  const metadata = below(3) === 0 ? objects() : below(2) ? "null" : `{"a":${below(9)},"${below(20)}":[1.5,"x"]}`;
  const previous = below(8) === 0 ? OTHER : tip;
  const spare = below(10) === 0 ? " " : "";
  const head = `{"seq":${below(50)},"timestamp":"2026-02-02T00:00:00.000Z","who":"a","what":"b","where":null,"why":"c \\"d\\""`;
  const extra = below(10) === 0 ? ',"more":1' : "";
  return `${head},${spare}"metadata":${metadata},"previousHash":"${previous}","hash":${PLACE}${extra}}`;
}

/** Puts in the hash that belongs there, or what `spell` makes of it. */
function hashed(text: string, reader: ChainReader, tip: string, spell: (hash: string) => string): string {
  const bytes = Buffer.from(text.replaceAll(PLACE, `"${PLACE}"`));
  if (reader.read(bytes, 0, bytes.length) !== Entry.chained) return text.replaceAll(PLACE, `"${PLACE}"`);
  return text.replaceAll(PLACE, spell(reader.hashAfter(tip)));
}
