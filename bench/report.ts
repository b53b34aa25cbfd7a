/** What the runs took, in words and tables. */
import type { Corpus } from "./corpus.ts";
import { median } from "./document.ts";
import type { Usage } from "./measure.ts";
import type { JobResult, Result } from "./rounds.ts";
import type { Orders } from "./sink/orders.ts";

interface Measure {
  readonly unit: string;
  of(usage: Usage, entries: number): number;
  digits: number;
}

const MEASURES: readonly Measure[] = [
  { unit: "k entries/s", of: ({ wallSeconds }, entries) => entries / wallSeconds / 1000, digits: 0 },
  { unit: "CPU-seconds per million", of: ({ cpuSeconds }, entries) => cpuSeconds / (entries / 1e6), digits: 2 },
  { unit: "peak MiB", of: ({ peakBytes }) => peakBytes / 2 ** 20, digits: 0 },
];

export function oneRun(usage: Usage, { entries }: Corpus): string {
  return MEASURES.map(({ unit, of, digits }) => `${of(usage, entries).toFixed(digits)} ${unit}`).join(", ");
}

/** A row for each candidate: medians, and the least and the most of its runs. */
export function table(jobs: readonly JobResult[]): string {
  const rows = jobs.flatMap(({ job, corpus, results }) =>
    results.map((result, i) => `| ${i === 0 ? job.name : ""} | ${result.candidate} | ${cells(result, corpus)} |`),
  );
  return [
    `| job | who | ${MEASURES.map(({ unit }) => unit).join(" | ")} |`,
    "| --- | --- | --: | --: | --: |",
    ...rows,
    "",
    ...jobs.map(({ job }) => `- \`${job.name}\`: ${job.what}`),
  ].join("\n");
}

function cells({ runs, error }: Result, { entries }: Corpus): string {
  if (error !== undefined)
    return `failed: ${error.split("\n")[0]!.replace(/:$/, "").replaceAll("|", "\\|").slice(0, 200)} | | `;
  return MEASURES.map(({ of, digits }) => {
    const values = runs.map((usage) => of(usage, entries));
    const [least, most] = [Math.min(...values), Math.max(...values)].map((value) => value.toFixed(digits));
    const middle = median(values).toFixed(digits);
    return least === most ? middle : `${middle} (${least}–${most})`;
  }).join(" | ");
}

/** What stands before the table. */
export function about(
  jobs: readonly JobResult[],
  { orders, repeats, verified }: { orders: Orders; repeats: number; verified: boolean },
): string {
  const corpora = [...new Map(jobs.map(({ corpus }) => [corpus.kind, corpus])).values()].map(
    ({ kind, entries, bytes }) =>
      `${entries.toLocaleString("en-US")} ${kind} entries of ${Math.round(bytes / entries)} bytes on average`,
  );
  const programs = [...new Set(jobs.flatMap((result) => result.programs))];
  const others =
    programs.length === 0
      ? ""
      : `, others (${programs.join(", ")}; bench/peers/README.md) until the last entry has arrived`;
  const content = verified
    ? "In a run before those that are timed, a hash of what the entries say is compared as well."
    : "What the entries say was not compared.";
  return `Medians of ${count(repeats, "run")}, with the least and the most of them; candidates of a job take turns.
${corpora.join("; ")}, read from a file on disk. The agent runs as published (\`run --once\`), start-up and end included${others}.
CPU and memory are each agent's own, from the kernel. The destination is another process that answers as the real one does${behaviour(orders)}.
Each run counts what arrives, this agent's entries one by one by their record ids. ${content}`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}

function behaviour({ slowMs, refuseEvery }: Orders): string {
  const slow = slowMs > 0 ? `, ${slowMs} ms late` : "";
  return `${slow}${refuseEvery > 0 ? `, and refuses every ${refuseEvery}th request as a busy server does` : ""}`;
}
