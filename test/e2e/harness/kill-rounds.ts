import { setTimeout as delay } from "node:timers/promises";
import { expect } from "vitest";
import { FakeElasticsearch } from "../../fakes/elasticsearch.ts";
import { AgentProcess, runOnce } from "./agent.ts";
import { expectExactlyOnce } from "./compare.ts";
import { Workspace } from "./workspace.ts";
import { startWriter } from "./writer.ts";

/** Longest time from a start to its kill, for kills by the clock. */
const MAX_LIFE_MS = 1500;

/** A number in [0, 1) that depends on seed and round alone, so that a failing run can be repeated. */
function at(seed: number, round: number): number {
  let t = (seed + Math.imul(round, 0x9e3779b1)) >>> 0;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

function config(workspace: Workspace, url: string): string {
  return `service:
  data_dir: ${workspace.path("data")}
  log_level: info
  queue: { segment_bytes: 1MiB }
pipeline:
  inputs:
    - { name: tail, alias: dashboard, tag: audit.dashboard, path: ${workspace.path("logs/dashboard")}/audit-*.jsonl }
    - { name: tail, alias: app, tag: audit.app, path: ${workspace.path("logs/app")}/app.jsonl* }
  outputs:
    - { name: elasticsearch, match: 'audit.*', url: '${url}', index: audit-%Y.%m.%d }
    - { name: file, match: 'audit.*', path: ${workspace.path("archive")}/audit-%Y-%m-%d.jsonl, format: original }
`;
}

/**
 * kill -9 at random moments while a writer appends and rotates: half of the rounds at a moment of the clock (so also in the middle of a
 * start), half a moment after something was delivered. Afterwards every finished line must have arrived, once, at both outputs.
 */
export async function killRounds(
  rounds: number,
  seed: number,
  rotation: Omit<Parameters<typeof startWriter>[1], "seed"> = {},
): Promise<void> {
  process.stdout.write(`  kill -9: ${rounds} rounds, seed ${seed}\n`);
  const workspace = new Workspace();
  const elasticsearch = await FakeElasticsearch.start();
  try {
    const file = await workspace.write("pipeline.yaml", config(workspace, elasticsearch.url));
    const writer = startWriter(workspace, { seed, ...rotation });
    for (let round = 0; round < rounds; round++) {
      const agent = AgentProcess.run(file);
      const random = at(seed, round);
      if (round % 2 === 0) await Promise.race([delay(random * MAX_LIFE_MS), agent.exited]);
      else await arrivals(agent, elasticsearch, Math.floor(random * 500));
      if (agent.exit)
        throw new Error(`round ${round}: the agent ended by itself: ${JSON.stringify(agent.exit)}\n${agent.stderr}`);
      await agent.kill();
    }
    await writer.stop();
    await runOnce(file);
    const written = await writer.journal();
    expect(written.length).toBeGreaterThan(rounds * 20);
    expectExactlyOnce("file", written, await workspace.allLines("archive"));
    expectExactlyOnce("elasticsearch", idsOf(written), idsOf(elasticsearch.documents.map(({ source }) => source)));
    process.stdout.write(`  kill -9: ${written.length} lines, each arrived once\n`);
  } finally {
    await elasticsearch.stop();
  }
}

async function arrivals(agent: AgentProcess, elasticsearch: FakeElasticsearch, more: number): Promise<void> {
  const before = elasticsearch.documents.length;
  await agent.until(`${more} more documents`, () => elasticsearch.documents.length > before + more);
}

function idsOf(lines: readonly string[]): string[] {
  return lines.map((line) => String((JSON.parse(line) as { id: unknown }).id));
}
