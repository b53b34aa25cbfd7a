/** Many entries through the real agent into one output, with trouble on the way. */
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { AgentProcess, runOnce } from "../e2e/harness/agent.ts";
import type { Cuttable } from "../e2e/harness/cuttable.ts";
import { ledgersOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";

export interface ShipmentOptions {
  /** 100,000 unless told; `ENTRIES` in the environment makes all of them smaller or larger. */
  readonly entries?: number;
  /** The output's section. Its alias is `out`. */
  readonly output: Readonly<Record<string, unknown>>;
  /** Entries received so far, about; for knowing when half of them are there. */
  readonly count?: () => number | Promise<number>;
  /** What happens in the middle: a server is restarted, a way is cut. */
  readonly trouble: () => Promise<void>;
  /** kill -9 of the agent after the trouble, and a new start. */
  readonly kill?: boolean;
}

export const ENTRIES = Number(process.env.ENTRIES ?? 100_000);

/** Numbered, each with a text that has to be escaped somewhere. */
export function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, n) => {
    const time = new Date(Date.now() - 60_000 + Math.floor(n / 10)).toISOString();
    return `{"timestamp":"${time}","level":"info","event":"task.done","n":${n},"text":"Zoë said \\"${n}\\"\\n"}`;
  });
}

/** Ships them all; answers the agent's last ledger. */
export async function ship(options: ShipmentOptions) {
  const workspace = new Workspace();
  const entries = options.entries ?? ENTRIES;
  const lines = numbered(entries);
  const path = await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
  const file = await workspace.write(
    "pipeline.json",
    JSON.stringify({
      service: { data_dir: workspace.path("data"), log_format: "json" },
      pipeline: {
        inputs: [{ name: "tail", tag: "audit.app", path }],
        outputs: [{ alias: "out", match: "*", retry: { initial: "50ms", max: "1s" }, ...options.output }],
      },
    }),
  );
  const agent = AgentProcess.run(file, "--once");
  // Where nobody can count, the trouble comes early: while the first of them are on their way.
  if (options.count) {
    const half = async () => (await options.count!()) >= entries / 10 || agent.exit !== undefined;
    while (!(await half())) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await options.trouble();
  if (options.kill) await agent.kill();
  else {
    const { code } = await agent.exited;
    expect(code, agent.stderr.slice(-5_000)).toBe(0);
  }
  const last = options.kill ? await runOnce(file) : agent;
  const ledger = ledgersOf(last).out!;
  expect(ledger).toMatchObject({ rejected: 0, lost: 0 });
  return ledger;
}

/** Longer than STALL_TIMEOUT: the agent gives up on what hangs, and tries again. */
const STALL_MS = 4_000;
/** `timeout` of an output whose way is stalled. */
export const STALL_TIMEOUT = "2s";

/** Nothing moves for a while, and nobody is told. */
export async function stalled(way: Cuttable): Promise<void> {
  way.stall();
  await delay(STALL_MS);
  await way.mend();
}

/** Every number from 0 to `entries` is there: once, or at least once. */
export function expectAll(received: readonly number[], promise: "once" | "at least once", entries = ENTRIES): void {
  const seen = new Uint8Array(entries);
  const strangers: number[] = [];
  for (const n of received) {
    if (n >= 0 && n < entries) seen[n] = Math.min(seen[n]! + 1, 255);
    else strangers.push(n);
  }
  const where = (wanted: (times: number) => boolean) => [...seen.keys()].filter((n) => wanted(seen[n]!)).slice(0, 20);
  expect({ missing: where((times) => times === 0), strangers }).toEqual({ missing: [], strangers: [] });
  if (promise === "once") expect({ twice: where((times) => times > 1) }).toEqual({ twice: [] });
}
