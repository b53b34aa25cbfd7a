/** An agent that goes on until it is told to stop, and what it has cost so far. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fromProc } from "./measure.ts";
import type { Place } from "./once.ts";

/** More than the biggest backlog takes. */
const PATIENCE_MS = 300_000;

export class Agent {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #began = performance.now();
  #stopping = false;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
    child.once("exit", (code, signal) => {
      // Whoever waits for what it delivers would wait for ever.
      if (!this.#stopping) throw new Error(`the agent ended by itself (${signal ?? code})`);
    });
  }

  static async start({ folder, launcher }: Place, config: string): Promise<Agent> {
    const file = join(folder, "pipeline.yaml");
    await writeFile(file, config);
    const args = [launcher, "run", "--config", file];
    return new Agent(spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] }));
  }

  /** Since it was started. */
  get seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }
  /** Throws when it has ended, which it was not told to. */
  get usage(): { cpuSeconds: number; peakBytes: number } {
    const usage = fromProc(this.#child.pid!);
    if (!usage) throw new Error(`the agent ended with ${this.#child.exitCode}`);
    return usage;
  }
  get residentBytes(): number {
    const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.#child.pid}/status`, "utf8"))!;
    return Number(kib) * 1024;
  }

  /** Share of a core that it takes while `work` goes on. */
  async shareDuring(work: () => Promise<unknown>): Promise<number> {
    const before = this.usage.cpuSeconds;
    const from = performance.now();
    await work();
    return (this.usage.cpuSeconds - before) / ((performance.now() - from) / 1000);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#child.exitCode === null) this.#child.kill();
    await this.#ended;
  }
}

/** Asks every few milliseconds; throws what `otherwise` says when it takes too long. */
export async function until(condition: () => Promise<boolean>, otherwise: () => string, everyMs = 5): Promise<void> {
  const from = performance.now();
  while (!(await condition())) {
    if (performance.now() - from > PATIENCE_MS) throw new Error(otherwise());
    await sleep(everyMs);
  }
}

export const empty = (data: string) => rm(data, { recursive: true, force: true });
