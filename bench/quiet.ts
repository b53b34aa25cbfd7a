/** What the agent costs while little happens: its start, its rest, and how long a line takes. Numbers to print, one process each. */
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fromProc } from "./measure.ts";

export interface QuietJob {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  run(place: Place): Promise<string>;
}

interface Place {
  readonly folder: string;
  /** The published package's command. */
  readonly launcher: string;
}

const LINE = `{"timestamp":"2026-02-01T09:00:17.123456Z","event":"session.start","level":"info","actor":"alice","n":`;
const STARTS = 11;
const SETTLE_MS = 15_000;
const IDLE_MS = 30_000;
const LINES = 10_000;
const PER_SECOND = 1_000;

export const QUIET_JOBS: readonly QuietJob[] = [
  { name: "startup", what: "process begins → the audit file is open (median of 11)", run: startup },
  { name: "idle", what: "one HTTP output, nothing to do for half a minute", run: idle },
  { name: "latency", what: "1,000 lines per second, written → in a bulk request, default linger", run: latency },
];

async function startup({ folder, launcher }: Place): Promise<string> {
  const times: number[] = [];
  for (let i = 0; i < STARTS; i++) {
    const agent = await begin({ folder, launcher }, `startup-${i}`, "{ name: stdout, match: '*' }");
    const began = performance.now();
    const child = agent.start();
    // Opened is as good as read: nothing stands between the two. Looking costs the agent some of its CPU, so rather too much is shown.
    while (!hasOpen(child.pid!, agent.log)) await sleep(1);
    times.push(performance.now() - began);
    await agent.stop();
  }
  times.sort((a, b) => a - b);
  return `${Math.round(times[STARTS >> 1]!)} ms`;
}

function hasOpen(pid: number, path: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => link(`/proc/${pid}/fd/${fd}`) === path);
  } catch {
    return false;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

async function idle(place: Place): Promise<string> {
  const sink = await destination();
  const agent = await begin(place, "idle", `{ name: elasticsearch, match: '*', url: ${sink.url} }`);
  const child = agent.start();
  try {
    // It has delivered once: its client is loaded and connected.
    await sink.seen(1);
    await sleep(SETTLE_MS);
    const before = fromProc(child.pid!)!;
    await sleep(IDLE_MS);
    const { cpuSeconds } = fromProc(child.pid!)!;
    const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))![1];
    const share = ((cpuSeconds - before.cpuSeconds) / (IDLE_MS / 1000)) * 100;
    return `${Math.round(Number(resident) / 1024)} MiB resident, ${share.toFixed(2)} % of a core`;
  } finally {
    await agent.stop();
    sink.close();
  }
}

async function latency(place: Place): Promise<string> {
  const sink = await destination();
  const agent = await begin(place, "latency", `{ name: elasticsearch, match: '*', url: ${sink.url} }`);
  const written: number[] = [];
  agent.start();
  try {
    await sink.seen(1);
    const began = performance.now();
    while (written.length < LINES) {
      // As many as are due: the pace does not depend on how well the timer keeps time.
      const due = Math.min(LINES, Math.floor(((performance.now() - began) / 1000) * PER_SECOND));
      let text = "";
      for (let n = written.length; n < due; n++) text += `${LINE}${n + 1}}\n`;
      const now = performance.now();
      if (text !== "") appendFileSync(agent.log, text);
      while (written.length < due) written.push(now);
      await sleep(1);
    }
    await sink.seen(LINES + 1);
    const took = written.map((at, n) => sink.arrived.get(n + 1)! - at).sort((a, b) => a - b);
    const at = (share: number) => `${Math.round(took[Math.floor(took.length * share)]!)} ms`;
    return `p50 ${at(0.5)}, p99 ${at(0.99)}, worst ${Math.round(took.at(-1)!)} ms`;
  } finally {
    await agent.stop();
    sink.close();
  }
}

/** An agent with a file of one line to tail; `stop` resolves when it has ended. */
async function begin({ folder, launcher }: Place, name: string, output: string) {
  const home = join(folder, name);
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true });
  const log = join(home, "audit.jsonl");
  const config = join(home, "pipeline.yaml");
  await writeFile(log, `${LINE}0}\n`);
  await writeFile(
    config,
    `service: { data_dir: ${join(home, "data")}, log_level: warn }
pipeline:
  inputs: [{ name: tail, tag: audit, path: ${log} }]
  filters: [{ name: level, match: '*', min: info }]
  outputs: [${output}]
`,
  );
  let child: ChildProcess | undefined;
  return {
    log,
    start() {
      child = spawn(process.execPath, [launcher, "run", "--config", config], {
        stdio: ["ignore", "ignore", "inherit"],
      });
      return child;
    },
    async stop() {
      if (!child || child.exitCode !== null || !existsSync(`/proc/${child.pid}`)) return;
      const ended = new Promise((resolve) => child!.once("exit", resolve));
      child.kill();
      await ended;
    },
  };
}

/** Elasticsearch as far as it goes: notes when each line first arrived, by its number `n`. */
async function destination() {
  const arrived = new Map<number, number>();
  let wake = () => {};
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const now = performance.now();
      const body = Buffer.concat(chunks).toString();
      let documents = 0;
      for (const [, n] of body.matchAll(/"n":(\d+)/g)) {
        documents++;
        if (!arrived.has(Number(n))) arrived.set(Number(n), now);
      }
      const items = Array.from({ length: documents }, () => '{"create":{"status":201}}').join(",");
      response.writeHead(200, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" });
      response.end(
        request.url!.startsWith("/_bulk")
          ? `{"errors":false,"items":[${items}]}`
          : '{"version":{"number":"9.5.0","build_flavor":"default"}}',
      );
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    async seen(count: number) {
      while (arrived.size < count) await new Promise<void>((resolve) => (wake = resolve));
    },
    close: () => server.close(),
  };
}
