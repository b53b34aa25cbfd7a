/** What `audit-agent verify` found, for people. Logs may be hostile: nothing of theirs reaches the terminal as it is. */
import { type BreakKind, NO_TAMPERING } from "../integrity/kinds.ts";
import type { Break, ChainReport, Excerpt, FileReport, Report } from "../integrity/offline/report.ts";
import type { Terminal } from "./context.ts";
import { printable, type Style, styles } from "./style.ts";
import type { VerifyFlags } from "./verify.ts";

const WIDTH = 120;
/** At the end of a line that is cut: there writers put the hash. */
const TAIL = 44;

export function describe(report: Report, flags: Partial<VerifyFlags>, terminal: Terminal): string {
  const style = styles(terminal.colours);
  const width = Math.max(60, terminal.columns ?? WIDTH);
  const parts: string[] = [files(report.files, style), ""];
  for (const warning of report.warnings) parts.push(`${style.yellow("warning:")} ${printable(warning)}`);
  if (report.warnings.length > 0) parts.push("");
  for (const chain of report.chains) parts.push(...verdict(chain, flags, style, width), "");
  return parts.join("\n");
}

function files(reports: readonly FileReport[], style: Style): string {
  const names = reports.map(({ file }) => printable(file));
  const counts = reports.map(({ entries, state }) => (state === "skipped" ? "" : plural(entries, "entry", "entries")));
  const widest = (texts: readonly string[]) => texts.reduce((most, { length }) => Math.max(most, length), 0);
  const [nameWidth, countWidth] = [widest(names), widest(counts)];
  return reports
    .map((report, i) => `${names[i]!.padEnd(nameWidth)}  ${counts[i]!.padStart(countWidth)}  ${state(report, style)}`)
    .join("\n");
}

function state({ state: is, breaks }: FileReport, style: Style): string {
  if (is === "ok") return style.green("ok");
  if (is === "skipped") return style.dim("skipped: no hashes");
  return `${style.red("broken")}${breaks > 1 ? ` in ${number(breaks)} places` : ""}`;
}

function verdict(chain: ChainReport, flags: Partial<VerifyFlags>, style: Style, width: number): string[] {
  if (chain.reason === "unchained" || (chain.valid && chain.files_checked === 0)) {
    return [`${style.yellow(style.bold("NOTHING TO VERIFY"))}  no entry has a hash`];
  }
  const what = `${chain.scheme}, ${plural(chain.files.length - chain.files_skipped, "file", "files")}, ${plural(chain.entries, "entry", "entries")}`;
  if (chain.valid) {
    const how =
      chain.reason === "mtimes_lost" ? `intact; modification times were lost (order by ${chain.order})` : "intact";
    return [
      `${style.green(style.bold("VALID"))}  ${what}: ${how}`,
      style.dim(`       last hash ${printable(chain.tip_hash!)}`),
    ];
  }
  const harmless = Object.keys(chain.kinds).every((kind) => NO_TAMPERING.has(kind as BreakKind)) && told(chain);
  const word = harmless
    ? style.yellow(style.bold("BROKEN, WITHOUT A SIGN OF TAMPERING"))
    : style.red(style.bold("BROKEN"));
  const lines = [`${word}  ${what}: ${counted(chain)}`, ""];
  const [first] = chain.breaks;
  lines.push(...details(first!, chain.excerpt, style, width));
  if (NO_TAMPERING.has(first!.kind)) lines.push("", ...advice(chain, harmless));
  const others = chain.breaks.slice(1);
  if (flags.allBreaks === true && others.length > 0) {
    lines.push("", "All others:", ...others.map((one) => `  ${place(one)}: ${words(one.kind)}${run(one)}`));
    const more = chain.breaks_total - chain.breaks.length;
    if (more > 0) lines.push(`  and ${number(more)} more`);
  } else if (others.length > 0) {
    lines.push("", style.dim("All of them: --all-breaks"));
  }
  return lines;
}

/** Whether every break was looked at. */
function told({ kinds, breaks_total }: ChainReport): boolean {
  return Object.values(kinds).reduce((sum, count) => sum + count, 0) === breaks_total;
}

function counted(chain: ChainReport): string {
  const kinds = Object.entries(chain.kinds).map(([kind, count]) => `${number(count)} ${words(kind as BreakKind)}`);
  if (!told(chain)) kinds.push("others that nobody looked at");
  const several = chain.breaks_total > 1;
  const good = chain.entries_checked;
  const where = good === 0 ? "at the first entry" : `behind ${plural(good, "good entry", "good entries")}`;
  return `${plural(chain.breaks_total, "break", "breaks")}${several ? ` (${kinds.join(", ")}), the first` : ","} ${where}`;
}

function details(one: Break, excerpt: Excerpt | undefined, style: Style, width: number): string[] {
  const lines = [
    `  ${style.bold(place(one))}, byte ${number(one.offset)}: ${style.bold(words(one.kind))}${run(one)}`,
    `  ${one.message}`,
  ];
  if (one.expected !== null) lines.push(`    expected  ${printable(one.expected)}`);
  if (one.found !== null) lines.push(`    found     ${printable(one.found)}`);
  if (excerpt === undefined) return lines;
  const digits = number(excerpt.lines.at(-1)!.number).length;
  lines.push("");
  for (const line of excerpt.lines) {
    const head = `  ${line.broken ? ">" : " "} ${number(line.number).padStart(digits)} `;
    const text = head + cut(printable(line.text), width - head.length);
    lines.push(line.broken ? style.red(text) : style.dim(text));
  }
  return lines;
}

function advice(chain: ChainReport, harmless: boolean): string[] {
  const rest = harmless
    ? "This happens in healthy installations."
    : "That one happens in healthy installations; the others do not.";
  if (chain.breaks[0]!.kind !== "head_missing") return [`  ${rest}`];
  return [
    `  ${rest} What is left can be checked from its first hash on: --anchor first`,
    "  (or, where the hash before it is known, --start-hash HASH).",
  ];
}

function place({ file, line }: Break): string {
  return `${printable(file)}:${line}`;
}

function run({ lines }: Break): string {
  return lines > 1 ? ` (${number(lines)} lines)` : "";
}

function words(kind: BreakKind): string {
  return kind.replaceAll("_", " ");
}

function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const tail = Math.min(TAIL, Math.floor(width / 3));
  return `${text.slice(0, width - tail - 1)}…${text.slice(-tail)}`;
}

function number(n: number): string {
  return n.toLocaleString("en-US");
}

function plural(n: number, one: string, many: string): string {
  return `${number(n)} ${n === 1 ? one : many}`;
}
