import { cpSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { FakeElasticsearch } from "../../fakes/elasticsearch.ts";
import { seeded } from "../../fakes/random.ts";
import { AgentProcess } from "./agent.ts";
import { healthOf, ledgersOf, logOf, stopOf } from "./observe.ts";
import { linesOf, Scene } from "./scene.ts";
import { until } from "./until.ts";

const SERVICE = { shutdown_timeout: "300ms", queue: { segment_bytes: "128KiB" } };

type Damage = (path: string, random: () => number) => void;

/** Rewrites a file with some of its bytes changed. */
export function change(path: string, how: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  how(bytes);
  writeFileSync(path, bytes);
}

/** What can happen to a segment file. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  "bits flipped": (path, random) =>
    change(path, (bytes) => {
      for (let i = 0; i < 5; i++) bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
    }),
  "a page of zeros": (path, random) =>
    change(path, (bytes) => {
      const at = 4096 * Math.floor((random() * bytes.length) / 4096);
      bytes.fill(0, at, at + 4096);
    }),
  "random bytes over a long stretch": (path, random) =>
    change(path, (bytes) => {
      const at = Math.floor(random() * bytes.length);
      for (let i = at; i < Math.min(bytes.length, at + 30_000); i++) bytes[i] = Math.floor(random() * 256);
    }),
  "cut off": (path, random) => truncateSync(path, Math.floor(random() * readFileSync(path).length)),
  "a page moved to another place": (path, random) =>
    change(path, (bytes) => {
      const pages = bytes.length / 4096;
      bytes.copyWithin(4096 * Math.floor(random() * pages), 4096 * Math.floor(random() * pages), 4096);
    }),
  emptied: (path) => truncateSync(path),
  gone: (path) => rmSync(path),
};

function segmentsOf(data: string): string[] {
  return readdirSync(join(data, "queue"))
    .filter((name) => name.endsWith(".segment"))
    .sort()
    .map((name) => join(data, "queue", name));
}

/** An agent stopped with a backlog of several segments. */
export async function backlog(): Promise<Scene> {
  const scene = await Scene.start();
  scene.elasticsearch.fail("unavailable");
  for (let i = 0; i < 20; i++) await scene.append(`logs/${i}.jsonl`, 100, "x".repeat(200));
  const agent = AgentProcess.run(await scene.configure({ service: SERVICE }));
  await agent.until("all read", async () => (await healthOf(agent)).outputs[0]?.ledger.read === scene.written.length);
  const { elasticsearch } = await stopOf(agent);
  expect(elasticsearch).toMatchObject({ read: 2000, queued: 2000 });
  expect(segmentsOf(scene.workspace.path("data")).length).toBeGreaterThan(3);
  return scene;
}

/** A run on a copy of the data directory that was damaged; to its end. */
export async function recovered(scene: Scene, name: string, damage: (segments: readonly string[]) => void) {
  const data = scene.workspace.path(name);
  cpSync(scene.workspace.path("data"), data, { recursive: true, preserveTimestamps: true });
  damage(segmentsOf(data));
  const elasticsearch = await FakeElasticsearch.start();
  onTestFinished(() => elasticsearch.stop());
  const outputs = [scene.output({ url: elasticsearch.url })];
  const config = await scene.configure({ service: { ...SERVICE, data_dir: name }, outputs }, `${name}.yaml`);
  const agent = AgentProcess.run(config, "--once");
  const { code } = await until("its end", () => agent.exit, { context: () => agent.stderr });
  expect(code, agent.stderr).toBe(0);
  return { agent, data, received: linesOf(elasticsearch), ledger: ledgersOf(agent).elasticsearch! };
}

function check(what: string, run: Awaited<ReturnType<typeof recovered>>, written: ReadonlySet<string>): void {
  const { agent, data, received, ledger } = run;
  const unique = new Set(received);
  expect(received.length, `${what}: nothing twice`).toBe(unique.size);
  expect([...unique].filter((line) => !written.has(line)).slice(0, 3), `${what}: nothing invented`).toEqual([]);
  // What was lost with the positions that covered it is read again from the files, so less may be missing than was lost.
  expect(ledger, what).toMatchObject({ delivered: received.length, queued: 0, rejected: 0 });
  expect(ledger.lost, `${what}\n${agent.stderr}`).toBeGreaterThanOrEqual(written.size - unique.size);
  // Repeats of the same complaint are held back, and told as a number.
  expect(logOf(agent, "lost").length > 0, `${what}: the log names what is lost\n${agent.stderr}`).toBe(ledger.lost > 0);
  for (const { msg, segment, setAside } of logOf(agent, "queue_damaged")) {
    expect(msg, what).toContain(String(segment));
    if (setAside !== undefined) expect(readFileSync(String(setAside)).length, what).toBeGreaterThan(0);
  }
  const damaged = readdirSync(join(data, "queue")).includes("damaged");
  expect(damaged, `${what}\n${agent.stderr}`).toBe(logOf(agent, "queue_damaged").some((line) => line.setAside));
}

/**
 * Damages a copy of the queue for each kind and seed, in one segment and in two: the agent always starts, sets aside, counts and names
 * what is gone, and delivers the rest; its ledger balances.
 */
export async function damageRounds(scene: Scene, kinds: readonly string[], seeds: readonly number[]): Promise<void> {
  const written = new Set(scene.written);
  for (const seed of seeds) {
    for (const [i, kind] of kinds.entries()) {
      const random = seeded(seed * 1000 + i);
      const what = `${kind}, seed ${seed}`;
      const segmentsHit = 1 + ((i + seed) % 2);
      const run = await recovered(scene, `data-${seed}-${i}`, (segments) => {
        for (let n = 0; n < segmentsHit; n++) {
          const path = segments[Math.floor(random() * segments.length)]!;
          if (existsSync(path)) DAMAGES[kind]!(path, random);
        }
      }).catch((error: unknown) => {
        throw new Error(what, { cause: error });
      });
      check(what, run, written);
      rmSync(run.data, { recursive: true });
    }
  }
}
