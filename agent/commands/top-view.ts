/** What `audit-agent top` shows, as lines: of a state, nothing else. */
import type { LettersView, OutputView, PipelineView } from "../api/operate.ts";
import { span } from "../telemetry/describe.ts";
import { cut, pad, sparkline } from "./columns.ts";
import { bytes } from "./context.ts";
import { type Style, styles } from "./style.ts";

export interface TopState {
  readonly view: PipelineView;
  /** Records a second, the newest last: read by `input <alias>`, delivered by `output <alias>`. */
  readonly rates: ReadonlyMap<string, readonly number[]>;
  /** Index of an output. */
  readonly selected: number;
  readonly mode:
    | { readonly is: "pipeline" }
    | { readonly is: "confirm"; readonly alias: string; readonly pause: boolean }
    | { readonly is: "letters"; readonly alias: string; readonly page: LettersView | undefined };
  /** What was done last, or why nothing is heard any more. */
  readonly message: string | undefined;
  /** The agent does not answer: what is shown is old. */
  readonly gone: boolean;
}

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

const MOST_RATES = 240;
const MOST_PROBLEMS = 3;
const KEYS = "q quit   ↑↓ choose an output   p pause or resume it   d its dead letters";

/** Above a thousand million nobody reads the digits, and they have no room. */
const number = (n: number) => (n < 1e9 ? n.toLocaleString("en-US") : `${(n / 1e9).toFixed(2)} G`);
const counted = (n: number, noun: string) => `${number(n)} ${noun}${n === 1 ? "" : "s"}`;
const perSecond = (n: number) => (n >= 10 || n === 0 ? number(Math.round(n)) : n.toFixed(1));
const ago = (seconds: number) => (seconds > 0 ? span(seconds * 1000) : "-");

export function begin(view: PipelineView): TopState {
  return { view, rates: new Map(), selected: 0, mode: { is: "pipeline" }, message: undefined, gone: false };
}

/** The state a second later. */
export function advance(state: TopState, view: PipelineView): TopState {
  const before = state.view;
  const seconds = (Date.parse(view.time) - Date.parse(before.time)) / 1000;
  const rates = new Map<string, readonly number[]>();
  const add = (key: string, now: number, then: number | undefined) => {
    const known = state.rates.get(key) ?? [];
    // Counters begin anew with the agent; a rate then is none.
    const rate = then === undefined || seconds <= 0 ? undefined : Math.max(0, (now - then) / seconds);
    rates.set(key, rate === undefined ? known : [...known, rate].slice(-MOST_RATES));
  };
  for (const { alias, read } of view.inputs) {
    add(`input ${alias}`, read.records, before.inputs.find((one) => one.alias === alias)?.read.records);
  }
  for (const { alias, ledger } of view.outputs) {
    add(`output ${alias}`, ledger.delivered, before.outputs.find((one) => one.alias === alias)?.ledger.delivered);
  }
  const selected = Math.max(0, Math.min(state.selected, view.outputs.length - 1));
  return { ...state, view, rates, selected, gone: false, message: state.gone ? undefined : state.message };
}

/** Exactly as many lines as there are rows, none wider than the columns. */
export function render(state: TopState, { columns, rows }: Size, colours: boolean): string[] {
  const style = styles(colours);
  const head = header(state, columns, style);
  const foot = [footer(state, columns, style)];
  const room = Math.max(0, rows - head.length - foot.length);
  const body =
    state.mode.is === "letters"
      ? letters(state.mode, { columns, rows: room }, style)
      : pipeline(state, { columns, rows: room }, style);
  const filled = [...body, ...Array.from({ length: Math.max(0, room - body.length) }, () => "")].slice(0, room);
  return [...head, ...filled, ...foot].slice(0, rows);
}

function header({ view, gone }: TopState, columns: number, style: Style): string[] {
  const words = { ok: style.green, degraded: style.yellow, failed: style.red } as const;
  const status = gone ? "GONE" : view.status.toUpperCase();
  const up = span(Date.parse(view.time) - Date.parse(view.started_at));
  const about = `  audit-agent ${view.version} on ${view.node}, up ${up}  ${view.time.slice(0, 19).replace("T", " ")}`;
  const paint = gone ? style.red : words[view.status];
  const shown = view.problems.slice(0, MOST_PROBLEMS);
  const more = view.problems.length - shown.length;
  return [
    style.bold(paint(cut(status, columns))) + cut(about, columns - status.length),
    ...shown.map((problem) => style.yellow(cut(`! ${problem}`, columns))),
    ...(more > 0 ? [style.yellow(cut(`! and ${more} more`, columns))] : []),
    "",
  ];
}

function footer({ mode, message, gone }: TopState, columns: number, style: Style): string {
  if (mode.is === "confirm") {
    const what = mode.pause ? `Pause ${mode.alias}? What comes waits in the queue.` : `Let ${mode.alias} go on?`;
    return style.bold(cut(`${what}   y yes   any other key: no`, columns));
  }
  if (message !== undefined) return (gone ? style.red : style.bold)(cut(message, columns));
  return style.dim(cut(mode.is === "letters" ? "d or esc back   q quit" : KEYS, columns));
}

/** Title, head and rows; a gap where there is room for one. */
interface Table {
  readonly head: string;
  readonly rows: readonly string[];
  /** Index of the row that must be seen. */
  readonly keep: number;
}

function pipeline(state: TopState, size: Size, style: Style): string[] {
  const { columns } = size;
  const tail = [
    queueLine(state.view, columns, style),
    ...chainLines(state.view, columns, style),
    ...leftovers(state.view, columns, style),
  ];
  const tables = [inputs(state, columns), outputs(state, columns, style)];
  // What is left for rows: a head each, and a gap behind each where there is room.
  const wanted = tables.reduce((sum, { rows }) => sum + rows.length, 0);
  const gaps = size.rows >= wanted + tail.length + 2 * tables.length ? 1 : 0;
  const room = size.rows - tail.length - tables.length * (1 + gaps);
  const [first, second] = shares([tables[0]!.rows.length, tables[1]!.rows.length], Math.max(0, room));
  const lines: string[] = [];
  for (const [table, share] of [
    [tables[0]!, first!],
    [tables[1]!, second!],
  ] as const) {
    lines.push(style.dim(table.head), ...windowed(table, share, columns, style));
    if (gaps === 1) lines.push("");
  }
  return [...lines, ...tail];
}

/** Room for two tables: what one does not need the other has. */
function shares([a, b]: readonly [number, number], room: number): [number, number] {
  if (a + b <= room) return [a, b];
  const half = Math.floor(room / 2);
  if (a <= half) return [a, room - a];
  if (b <= room - half) return [room - b, b];
  return [half, room - half];
}

function windowed({ rows, keep }: Table, share: number, columns: number, style: Style): string[] {
  if (rows.length <= share) return [...rows];
  if (share <= 1) return rows.slice(keep, keep + share);
  const shown = share - 1;
  const from = Math.max(0, Math.min(keep - Math.floor(shown / 2), rows.length - shown));
  return [...rows.slice(from, from + shown), style.dim(cut(`  and ${rows.length - shown} more`, columns))];
}

function inputs({ view, rates }: TopState, columns: number): Table {
  const widths = [8, 8, 12, 10, 9, 6];
  const name = Math.max(8, columns - 2 - widths.reduce((sum, width) => sum + width + 1, 0));
  const line = (alias: string, state: string, cells: readonly string[]) =>
    cut(
      `  ${pad(alias, name)} ${pad(state, widths[0]!)} ${cells.map((cell, i) => pad(cell, widths[i + 1]!, "right")).join(" ")}`,
      columns,
    );
  return {
    head: line("input", "", ["read/s", "read", "behind", "for", "files"]),
    rows: view.inputs.map(({ alias, state, read, lag }) => {
      const rate = rates.get(`input ${alias}`)?.at(-1);
      const cells = [rate === undefined ? "-" : perSecond(rate), number(read.records)];
      return line(alias, state, [...cells, bytes(lag.bytes), ago(lag.seconds), number(lag.files)]);
    }),
    keep: 0,
  };
}

function outputs({ view, rates, selected }: TopState, columns: number, style: Style): Table {
  const widths = [8, 8, 12, 10, 9, 8, 6];
  const fixed = widths.reduce((sum, width) => sum + width + 1, 0);
  // The bars are worth their place once names have theirs.
  const bars = Math.min(30, Math.max(0, columns - 2 - fixed - 16));
  const name = Math.max(8, columns - 2 - fixed - (bars > 0 ? bars + 1 : 0));
  const line = (mark: string, alias: string, state: string, cells: readonly string[], spark: string) => {
    const right = cells.map((cell, i) => pad(cell, widths[i + 1]!, "right")).join(" ");
    const text = `${mark} ${pad(alias, name)} ${pad(state, widths[0]!)} ${right}${bars > 0 ? ` ${spark}` : ""}`;
    return cut(text.trimEnd(), columns);
  };
  const cells = (output: OutputView, rate: number | undefined) => [
    rate === undefined ? "-" : perSecond(rate),
    number(output.ledger.delivered),
    number(output.backlog.records),
    ago(output.backlog.oldest_seconds),
    number(output.ledger.rejected),
    number(output.ledger.lost),
  ];
  return {
    head: line(" ", "output", "", ["sent/s", "delivered", "waiting", "oldest", "rejected", "lost"], ""),
    rows: view.outputs.map((output, i) => {
      const known = rates.get(`output ${output.alias}`) ?? [];
      const text = line(
        i === selected ? "▸" : " ",
        output.alias,
        stateOf(output),
        cells(output, known.at(-1)),
        sparkline(known, bars),
      );
      const bad = output.state === "failed" || output.ledger.lost > 0 || output.imbalance !== 0;
      const paint = bad
        ? style.red
        : output.state === "ok" && !output.stalled
          ? (plain: string) => plain
          : style.yellow;
      return i === selected ? style.bold(paint(text)) : paint(text);
    }),
    keep: selected,
  };
}

function stateOf({ paused, stalled, state }: OutputView): string {
  if (paused) return "paused";
  return stalled ? "stalled" : state;
}

function queueLine({ queue }: PipelineView, columns: number, style: Style): string {
  const share = queue.max_bytes === 0 ? 0 : Math.min(1, queue.bytes / queue.max_bytes);
  const full = Math.round(share * 20);
  const bar = `${"█".repeat(full)}${"░".repeat(20 - full)}`;
  const oldest = queue.oldest_seconds > 0 ? `, the oldest waits for ${span(queue.oldest_seconds * 1000)}` : "";
  const blocked = queue.state === "ok" ? "" : `, ${queue.state}${queue.reason === null ? "" : `: ${queue.reason}`}`;
  const text = cut(
    `  queue ${bar} ${Math.round(share * 100)} %, ${bytes(queue.bytes)} of ${bytes(queue.max_bytes)}${blocked}${oldest}`,
    columns,
  );
  return share > 0.8 || blocked !== "" ? style.yellow(text) : text;
}

function chainLines({ filters }: PipelineView, columns: number, style: Style): string[] {
  return filters.flatMap(({ alias, chains }) => {
    if (chains === null) return [];
    const { count, verified, breaks } = chains;
    const text = cut(
      `  ${alias}: ${number(count)} chains, ${number(verified)} entries verified, ${breaks === 0 ? "no breaks" : counted(breaks, "break")}`,
      columns,
    );
    return [breaks > 0 ? style.red(text) : text];
  });
}

function leftovers({ dead_letters: kept, orphans }: PipelineView, columns: number, style: Style): string[] {
  const waiting = orphans.map(
    ({ alias, records }) => `${number(records)} entries wait for ${alias}, which is no output`,
  );
  const all = [...(kept.records > 0 ? [counted(kept.records, "dead letter")] : []), ...waiting];
  return all.length === 0 ? [] : [style.yellow(cut(`  ${all.join("; ")}`, columns))];
}

function letters(
  { alias, page }: Extract<TopState["mode"], { is: "letters" }>,
  { columns, rows }: Size,
  style: Style,
): string[] {
  if (page === undefined) return [cut(`Dead letters of ${alias} …`, columns)];
  const lines = page.letters.flatMap(({ time, id, reason, original }) => [
    cut(`${time.slice(0, 19).replace("T", " ")}  ${reason}`, columns),
    style.dim(cut(`    ${id}  ${original}`, columns)),
  ]);
  const title =
    page.total === 0
      ? `${alias} has no dead letters`
      : `${counted(page.total, "dead letter")} of ${alias}, oldest first`;
  const fits = Math.max(0, rows - 2);
  const shown = lines.length <= fits ? lines : lines.slice(0, fits - (fits % 2));
  const more = page.total - shown.length / 2;
  return [
    style.bold(cut(title, columns)),
    ...shown,
    ...(more > 0 ? [style.dim(cut(`  and ${number(more)} more: audit-agent dead-letters list`, columns))] : []),
  ];
}
