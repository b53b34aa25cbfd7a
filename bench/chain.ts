/**
 * `npm run bench:chain [-- --entries N,N --rounds N --seed N --write --note TEXT]`: how fast chains are verified, beside what their writers' own
 * verifiers are made of. All take turns over the same file, so that a busy minute hits each of them.
 */
import { spawnSync } from "node:child_process";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import type { SchemeName } from "../agent/integrity/scheme.ts";
import { CONTENDERS, type Contender, offline } from "./chain-contenders.ts";
import { type Chain, chain } from "./chain-corpus.ts";
import { median, writePart } from "./document.ts";

const { values } = parseArgs({
  options: {
    entries: { type: "string", default: "200000,1000000" },
    rounds: { type: "string", default: "5" },
    seed: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
    note: { type: "string", default: "" },
  },
});
const sizes = values.entries.split(",").map(Number);
const rounds = Number(values.rounds);
if (![...sizes, rounds].every((n) => Number.isSafeInteger(n) && n > 0)) throw new Error("--entries N,N --rounds N");
const python = spawnSync("python3", ["--version"]).status === 0;
if (!python) console.error("*** no python3: nothing to compare with in the dashboard and app schemes ***");

interface Row {
  readonly contender: Contender;
  readonly seconds: number[];
}

async function race(input: Chain): Promise<string[]> {
  const rows: Row[] = CONTENDERS.filter(({ schemes }) => schemes.includes(input.scheme))
    .filter(({ name }) => python || !name.startsWith("Python"))
    .map((contender) => ({ contender, seconds: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const { contender, seconds } of rows) seconds.push(await contender.verify(input));
    const said = rows.map(({ contender, seconds }) => `${contender.name} ${perSecond(input, seconds.at(-1)!)}`);
    console.log(`  ${input.scheme}, round ${round + 1}: ${said.join("; ")}`);
  }
  return rows.map((row) => line(input, row, rows));
}

/** In thousands. */
function perSecond({ entries }: Chain, seconds: number): string {
  return `${Math.round(entries / seconds / 1000)} k`;
}

function line(input: Chain, { contender, seconds }: Row, rows: readonly Row[]): string {
  const middle = median(seconds);
  const reference = rows.find((row) => row.contender.reference);
  const limit = median(rows.at(-1)!.seconds);
  return `| ${[
    input.scheme,
    input.entries.toLocaleString("en-US"),
    contender.name,
    perSecond(input, middle),
    `${perSecond(input, Math.max(...seconds))} – ${perSecond(input, Math.min(...seconds))}`,
    Math.round((middle / input.entries) * 1e9),
    reference ? `${(median(reference.seconds) / middle).toFixed(1)} ×` : "",
    `${Math.round((limit / middle) * 100)} %`,
  ].join(" | ")} |`;
}

/** By the clock: how much faster all cores are than one. */
async function scaling(input: Chain): Promise<string> {
  const cores = availableParallelism();
  const one: number[] = [];
  const many: number[] = [];
  for (let round = 0; round < rounds; round++) {
    one.push((await offline(input, 1)).wall);
    many.push((await offline(input, cores)).wall);
  }
  const times = (median(one) / median(many)).toFixed(2);
  return `By the clock, \`audit-agent verify\` of ${input.entries.toLocaleString("en-US")} entries: one thread ${perSecond(input, median(one))} entries/s,
${cores} threads ${perSecond(input, median(many))} entries/s (${times} ×).`;
}

const jobs: [SchemeName, number][] = [
  ...sizes.map((entries): [SchemeName, number] => ["loki-dashboard", entries]),
  ["app", sizes[0]!],
  ["loki-agent", sizes[0]!],
];
const lines: string[] = [];
let clock = "";
let entryBytes = 0;
for (const [scheme, entries] of jobs) {
  const input = chain(scheme, entries, Number(values.seed));
  entryBytes = Math.max(entryBytes, Math.round(input.bytes.length / entries));
  console.log(`${scheme}: ${entries} entries, ${Math.round(input.bytes.length / entries)} bytes each`);
  lines.push(...(await race(input)));
  if (scheme === "loki-dashboard") clock = await scaling(input);
}
const table = [
  "| scheme | entries | who | entries/s | slowest – fastest round | CPU ns per entry | against the reference | of the SHA-256 limit |",
  "| --- | --: | --- | --: | --: | --: | --: | --: |",
  ...lines,
].join("\n");
console.log(`\n${table}\n\n${clock}`);
const about = `Hash chains, verified on one core: entries per second of CPU time, medians of ${rounds} rounds in turns over the same generated
file (entries of up to ${entryBytes} bytes on average). The references are what the writers' own verifiers do and nothing more. The SHA-256 limit is the time of
as many calls of \`crypto.hash\` over as many bytes, and nothing else.`;
if (values.write) await writePart("npm run bench:chain", `${about}\n\n${table}\n\n${clock}`, values.note);
