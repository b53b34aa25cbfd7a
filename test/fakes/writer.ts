/**
 * An application that writes audit logs and rotates them as the real ones do, in a process of its own, so that it neither waits for the
 * agent nor dies with it. Options come as JSON in the first argument; it writes until its standard input ends.
 *
 * Its logs: `dashboard/audit-DAY.jsonl`, renamed to `audit-DAY.HHMMSS.jsonl` when it is large (within the agent's glob, and never twice in a
 * second, for the second would overwrite the first) and left alone when the day ends; and `app/app.jsonl`, shifted to `.1`, `.2`, … Every
 * finished line is in `journal` before the next begins: what has to arrive.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readdirSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";
import { type Kind, RealLines } from "../e2e/harness/real-lines.ts";
import { seeded } from "./random.ts";

export interface WriterOptions {
  readonly folder: string;
  /** File of finished lines. */
  readonly journal: string;
  readonly seed: number;
  /** Roughly; both logs together. */
  readonly linesPerSecond: number;
  /** Size at which a dashboard file is renamed, bytes. */
  readonly rotateBytes: number;
  /** Milliseconds between two shifts of the application's log, and between two days of the dashboard's, on average. */
  readonly shiftMs: number;
  readonly dayMs: number;
  /** Entries of the corpora's shapes instead of its own, and a third log, `agent/agent-audit.jsonl`, which nobody rotates. */
  readonly real?: boolean;
  /** Ends by itself after so many lines. */
  readonly lines?: number;
}

const TICK_MS = 5;
const NEWLINE = Buffer.from("\n");
const KINDS: readonly Kind[] = ["dashboard", "wiki", "agent"];

/** One log: knows its open file; lines may be finished only at the next call. */
class Log {
  readonly name: string;
  readonly #random: () => number;
  readonly #finished: (line: Buffer) => void;
  readonly #real: RealLines | undefined;
  #file: number;
  #count = 0;
  /** The line that is open, and how many of its bytes are written. */
  #open: { line: Buffer; written: number } | undefined;

  constructor(name: string, path: string, random: () => number, finished: (line: Buffer) => void, real?: RealLines) {
    this.name = name;
    this.#real = real;
    this.#random = random;
    this.#finished = finished;
    this.#file = openSync(path, "a");
  }

  get size(): number {
    return fstatSync(this.#file).size;
  }

  /** Now and then only the first bytes of a line, be it in the middle of a character; the others come with the next call. */
  write(): void {
    if (this.finish()) return;
    const line = Buffer.concat([this.#real?.next() ?? this.#entry(), NEWLINE]);
    if (this.#random() < 0.02) {
      const written = 1 + Math.floor(this.#random() * (line.length - 1));
      writeSync(this.#file, line, 0, written);
      this.#open = { line, written };
      return;
    }
    writeSync(this.#file, line);
    this.#finished(line);
  }

  /** Writes the rest of a line, if one is open. */
  finish(): boolean {
    if (!this.#open) return false;
    writeSync(this.#file, this.#open.line, this.#open.written);
    this.#finished(this.#open.line);
    this.#open = undefined;
    return true;
  }

  /** A rotation never comes in the middle of a line. */
  reopen(path: string, move: () => void): void {
    this.finish();
    closeSync(this.#file);
    move();
    this.#file = openSync(path, "a");
  }

  #entry(): Buffer {
    const text = ["plain", 'quo"ted\\', "Zoë 🙂 \u2028", "x".repeat(this.#random() < 0.01 ? 60_000 : 200)];
    return Buffer.from(
      JSON.stringify({
        timestamp: new Date().toISOString(),
        event: "session.start",
        level: "info",
        actor: "alice",
        id: `${this.name}-${this.#count++}`,
        details: { n: this.#random(), text: text[Math.floor(this.#random() * text.length)] },
      }),
    );
  }
}

function run(options: WriterOptions): void {
  const { folder, seed, linesPerSecond, rotateBytes, shiftMs, dayMs } = options;
  const random = seeded(seed);
  const journal = openSync(options.journal, "a");
  let done = 0;
  const finished = (line: Buffer) => {
    writeSync(journal, line);
    done++;
  };
  const real = (kind: Kind) =>
    options.real ? new RealLines(kind, random, KINDS.indexOf(kind), KINDS.length) : undefined;
  const dashboardFolder = join(folder, "dashboard");
  const appFile = join(folder, "app", "app.jsonl");
  mkdirSync(dashboardFolder, { recursive: true });
  mkdirSync(join(folder, "app"), { recursive: true });

  let day = 0;
  const dayName = () => new Date(Date.UTC(2026, 1, 1 + day)).toISOString().slice(0, 10);
  const dashboardFile = () => join(dashboardFolder, `audit-${dayName()}.jsonl`);
  const dashboard = new Log("dashboard", dashboardFile(), random, finished, real("dashboard"));
  const app = new Log("app", appFile, random, finished, real("wiki"));
  const logs = [dashboard, app];
  if (options.real) {
    mkdirSync(join(folder, "agent"), { recursive: true });
    logs.push(new Log("agent", join(folder, "agent", "agent-audit.jsonl"), random, finished, real("agent")));
  }

  const rotateBySize = () => {
    const clock = new Date().toISOString().slice(11, 19).replaceAll(":", "");
    const target = join(dashboardFolder, `audit-${dayName()}.${clock}.jsonl`);
    if (existsSync(target)) return;
    dashboard.reopen(dashboardFile(), () => renameSync(dashboardFile(), target));
  };
  const nextDay = () => {
    day++;
    dashboard.reopen(dashboardFile(), () => {});
  };
  const shift = () => {
    const numbers = readdirSync(join(folder, "app"))
      .map((name) => Number(/^app\.jsonl\.(\d+)$/.exec(name)?.[1]))
      .filter((n) => n > 0)
      .sort((a, b) => b - a);
    app.reopen(appFile, () => {
      for (const n of numbers) renameSync(`${appFile}.${n}`, `${appFile}.${n + 1}`);
      renameSync(appFile, `${appFile}.1`);
    });
  };

  let stopped = false;
  const tick = () => {
    const lines = (linesPerSecond * TICK_MS * 2 * random()) / 1000;
    for (let i = 0; i < lines; i++) logs[Math.floor(random() * logs.length)]!.write();
    if (dashboard.size > rotateBytes) rotateBySize();
    if (random() < TICK_MS / dayMs) nextDay();
    if (random() < TICK_MS / shiftMs) shift();
    if (done >= (options.lines ?? Number.POSITIVE_INFINITY)) stopped = true;
    if (!stopped) setTimeout(tick, TICK_MS);
    else {
      for (const log of logs) log.finish();
      process.stdin.destroy();
    }
  };
  tick();
  process.stdin.resume().on("end", () => {
    stopped = true;
  });
}

run(JSON.parse(process.argv[2]!) as WriterOptions);
