/** Memory is bounded by configuration, whatever waits, and does not grow with time. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { AgentProcess } from "./harness/agent.ts";
import { CountingSink } from "./harness/counting-sink.ts";
import { healthOf, memoryOf, stopOf } from "./harness/observe.ts";
import { Scene } from "./harness/scene.ts";
import { startWriter } from "./harness/writer.ts";

const GIB = 1024 ** 3;
/** At rest, and at its highest while a gibibyte runs through as fast as it can: buffers that wait for the garbage collector included. */
const LIMIT_MIB = 250;
const PEAK_MIB = 300;
const linux = test.runIf(process.platform === "linux");

async function sinkAndScene() {
  const scene = await Scene.start();
  const sink = await CountingSink.start();
  onTestFinished(() => sink.stop());
  return { scene, sink, output: scene.output({ url: sink.url, timeout: "30s" }) };
}

/** Writes about so many bytes of lines of usual size, numbered from `first` on, and answers the next number. */
async function writeLog(path: string, bytes: number, first: number): Promise<number> {
  const file = createWriteStream(path);
  let count = first;
  for (let written = 0; written < bytes; ) {
    let text = "";
    for (let i = 0; i < 1000; i++) {
      text += `{"timestamp":"2026-02-01T10:00:00Z","event":"session.start","level":"info","actor":"alice","id":${count++},"text":"${"x".repeat(1500)}"}\n`;
    }
    written += text.length;
    if (!file.write(text)) await once(file, "drain");
  }
  file.end();
  await once(file, "close");
  return count;
}

linux("flat while 1 GiB waits in the queue, after a restart on it, and while it drains", async () => {
  const { scene, sink, output } = await sinkAndScene();
  const config = await scene.configure({
    service: { shutdown_timeout: "1s", queue: { max_bytes: "2GiB" } },
    outputs: [output],
  });
  await mkdir(scene.workspace.path("logs"));
  let count = 0;
  for (let i = 0; i < 4; i++) count = await writeLog(scene.workspace.path(`logs/${i}.jsonl`), GIB / 4, count);
  const waiting = async (agent: AgentProcess) => (await healthOf(agent)).outputs[0]?.ledger.queued === count;
  const first = AgentProcess.run(config);
  await first.until("all of it to wait in the queue", () => waiting(first), 240_000);
  const filled = memoryOf(first);
  await first.kill();
  const second = AgentProcess.run(config);
  await second.until("all of it to wait", () => waiting(second), 60_000);
  const started = memoryOf(second);
  sink.down = false;
  await second.until("all of it to be there", () => sink.ids.size === count, 240_000);
  const drained = memoryOf(second);
  for (const [when, { now, peak }] of Object.entries({ filled, started, drained })) {
    process.stdout.write(`  memory with 1 GiB ${when}: ${now.toFixed(0)} MiB, peak ${peak.toFixed(0)}\n`);
    expect(now, when).toBeLessThan(LIMIT_MIB);
    expect(peak, when).toBeLessThan(PEAK_MIB);
  }
  expect(await stopOf(second)).toMatchObject({
    elasticsearch: { read: count, delivered: count, lost: 0, rejected: 0, queued: 0 },
  });
  expect(sink.ids.size).toBe(count);
  // What was given up is given back.
  await rm(scene.workspace.path("logs"), { recursive: true });
});

linux("does not grow over a long run of rotations and small files", async () => {
  const { scene, sink, output } = await sinkAndScene();
  sink.down = false;
  const input = { path: ["logs/dashboard/audit-*.jsonl", "logs/app/app.jsonl*"] };
  const agent = AgentProcess.run(
    await scene.configure({ service: { queue: { segment_bytes: "1MiB" } }, input, outputs: [output] }),
  );
  // A file every 300 ms or so; the real time is what is tested here.
  const writer = startWriter(scene.workspace, {
    seed: 7,
    linesPerSecond: 2000,
    rotateBytes: 200_000,
    shiftMs: 600,
    dayMs: 600,
  });
  const samples: number[] = [];
  for (let i = 0; i < 90; i++) {
    await delay(1000);
    samples.push(memoryOf(agent).now);
  }
  await writer.stop();
  const written = await writer.journal();
  await agent.until("everything", () => sink.ids.size >= written.length);
  const median = (some: readonly number[]) => [...some].sort((a, b) => a - b)[some.length >> 1]!;
  const [early, late] = [median(samples.slice(20, 40)), median(samples.slice(-20))];
  process.stdout.write(
    `  memory over ${written.length} lines, MiB: ${early.toFixed(0)} early, ${late.toFixed(0)} late\n`,
  );
  // The garbage collector's breathing; a leak of one kilobyte a line would be far above.
  expect(late - early).toBeLessThan(60);
  expect(late).toBeLessThan(PEAK_MIB);
  const { elasticsearch } = await stopOf(agent);
  expect(elasticsearch).toMatchObject({ read: written.length, delivered: written.length, lost: 0, queued: 0 });
  expect(sink.ids.size).toBe(written.length);
});
