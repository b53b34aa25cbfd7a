/** What `audit-agent status` prints: the verdict first. */
import type { OutputView, PipelineView } from "../api/operate.ts";
import type { Ledger } from "../api/status.ts";
import { span } from "../telemetry/describe.ts";
import { bytes, type Terminal, table } from "./context.ts";
import type { OnDisk } from "./on-disk.ts";
import { printable, styles } from "./style.ts";

const LEDGER = ["read", "created", "filtered", "delivered", "rejected", "lost", "queued"] as const;

const number = (n: number) => n.toLocaleString("en-US");
const seconds = (n: number) => (n > 0 ? span(n * 1000) : "-");
const rowsOf = (rows: readonly (readonly string[])[]) => table(rows.map((row) => row.map(printable)));
const section = (title: string, rows: readonly (readonly string[])[]) =>
  rows.length > 1 ? `\n${title}\n${rowsOf(rows)}` : "";

export function statusReport(view: PipelineView, { colours }: Pick<Terminal, "colours">): string {
  const style = styles(colours);
  const { status, problems, version, pid, node, config, queue, dead_letters: letters } = view;
  const verdict = { ok: style.green("OK"), degraded: style.yellow("DEGRADED"), failed: style.red("FAILED") }[status];
  const up = span(Date.parse(view.time) - Date.parse(view.started_at));
  const ready = view.ready ? "" : ", still starting";
  return [
    `${style.bold(verdict)}  ${printable(`audit-agent ${version}, pid ${pid}, up ${up}${ready}; node ${node}, ${config}`)}\n`,
    ...problems.map((problem) => `  ${printable(problem)}\n`),
    section("Inputs", [
      ["", "state", "read", "behind", "", "files"],
      ...view.inputs.map(({ alias, state, read, lag }) => [
        ...[alias, state, number(read.records), bytes(lag.bytes), seconds(lag.seconds), number(lag.files)],
      ]),
    ]),
    section("Filters", [
      ["", "state", "filtered", "created", "chains"],
      ...view.filters.map(({ alias, state, filtered, created, chains }) => [
        ...[alias, state, number(filtered), number(created)],
        chains ? `${number(chains.count)}, ${number(chains.verified)} verified, ${number(chains.breaks)} breaks` : "-",
      ]),
    ]),
    section("Outputs", [
      ["", "state", "waiting", "oldest", "", "retries", "last progress"],
      ...view.outputs.map((output) => [
        ...[output.alias, stateOf(output), number(output.backlog.records), seconds(output.backlog.oldest_seconds)],
        ...[bytes(output.backlog.bytes), number(output.retries), output.last_progress ?? "-"],
      ]),
    ]),
    ledgers(view.outputs),
    "\nQueue\n",
    `  ${bytes(queue.bytes)} of ${bytes(queue.max_bytes)}, ${number(queue.segments)} ${queue.segments === 1 ? "segment" : "segments"}, ${queue.state}\n`,
    ...leftovers(view.orphans, letters, view.lost_at_input_bytes),
  ].join("");
}

function stateOf({ paused, stalled, state }: OutputView): string {
  if (paused) return "paused";
  return stalled ? "stalled" : state;
}

interface Counted {
  readonly alias: string;
  readonly ledger: Ledger | undefined;
  readonly imbalance: number;
}

function ledgers(outputs: readonly Counted[]): string {
  return section("Ledger (read + created = filtered + delivered + rejected + lost + queued)", [
    ["", ...LEDGER, ""],
    ...outputs.map(({ alias, ledger, imbalance }) => [
      alias,
      ...LEDGER.map((name) => (ledger ? number(ledger[name]) : "?")),
      imbalance === 0 ? "" : `does not balance: ${number(imbalance)}`,
    ]),
  ]);
}

function leftovers(
  orphans: readonly { readonly alias: string; readonly records: number; readonly bytes: number }[],
  letters: { readonly records: number; readonly bytes: number },
  lostAtInput: number,
): string[] {
  const lines = orphans.map(
    ({ alias, records, bytes: size }) =>
      `  ${number(records)} entries (${bytes(size)}) wait for ${alias}, which is no output: audit-agent queue drop ${alias}`,
  );
  if (letters.records > 0) {
    lines.push(`  ${number(letters.records)} dead letters (${bytes(letters.bytes)}): audit-agent dead-letters list`);
  }
  if (lostAtInput > 0) lines.push(`  ${bytes(lostAtInput)} vanished from files before they could be read`);
  return lines.map((line) => `${printable(line)}\n`);
}

/** `now`: milliseconds since the epoch. */
export function diskReport(
  found: OnDisk | undefined,
  why: string,
  now: number,
  { colours }: Pick<Terminal, "colours">,
): string {
  const verdict = styles(colours).yellow("NOT RUNNING");
  if (found === undefined) return `${verdict}  ${printable(why)}, and none ever has\n`;
  const { written, queue, damage, outputs, chains, deadLetters } = found;
  const since = written > 0 ? `; the queue was written to last ${span(now - written)} ago` : "";
  const known = outputs.filter(({ orphan }) => !orphan);
  const orphans = outputs.filter(({ orphan }) => orphan);
  const most = queue.maxBytes === undefined ? "" : ` of ${bytes(queue.maxBytes)}`;
  return [
    `${verdict}  ${printable(why)}${since}\n`,
    "This is what its data directory says:\n",
    section("Outputs", [
      ["", "waiting", "oldest", ""],
      ...known.map(({ alias, backlog }) =>
        backlog
          ? [
              ...[alias, number(backlog.records)],
              ...[backlog.oldest === undefined ? "-" : span(now - backlog.oldest), bytes(backlog.bytes)],
            ]
          : [alias, "?", "", "its place is damaged: it starts again at the oldest entry"],
      ),
    ]),
    ledgers(known),
    section("Chains", [
      ["", "group", "entries", "breaks", "the last one"],
      ...chains.map(({ filter, group, entries, breaks, last, stopped }) => [
        ...[filter, group, number(entries), number(breaks)],
        [stopped && `stopped: ${stopped}`, last && `${last.words} (${last.path ?? "?"})`].filter(Boolean).join("; "),
      ]),
    ]),
    "\nQueue\n",
    `  ${bytes(queue.bytes)}${most}, ${number(queue.segments)} ${queue.segments === 1 ? "segment" : "segments"}\n`,
    ...damage.map((line) => `  damaged: ${printable(line)}\n`),
    ...leftovers(
      orphans.map(({ alias, backlog }) => ({ alias, records: backlog?.records ?? 0, bytes: backlog?.bytes ?? 0 })),
      deadLetters,
      0,
    ),
  ].join("");
}
