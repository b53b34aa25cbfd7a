/**
 * A hundred thousand entries of every writer's shape into a real Elasticsearch, while the agent is killed again and again, the files are
 * rotated and the way to the server is cut. `ELASTICSEARCH_URL` names the server (and `ELASTICSEARCH_API_KEY`, where it asks for one);
 * `ELASTICSEARCH_RESTART`, where it is set, is a command that restarts it with its data, run once in the middle. `SEED` repeats a run,
 * `ENTRIES` makes a smaller or larger one.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, describe, expect, test } from "vitest";
import { AgentProcess, runOnce } from "../e2e/harness/agent.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { ledgersOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { startWriter } from "../e2e/harness/writer.ts";
import { seeded } from "../fakes/random.ts";
import { deadLine, documentOf, keyOf, parseExact } from "./expected.ts";

const URL_OF = process.env.ELASTICSEARCH_URL;
const API_KEY = process.env.ELASTICSEARCH_API_KEY;
const RESTART = process.env.ELASTICSEARCH_RESTART;
const MISSING = "ELASTICSEARCH_URL is not set, so no agent was killed in front of a real Elasticsearch";
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const ENTRIES = Number(process.env.ENTRIES ?? 100_000);
const PER_SECOND = 2000;
/** Kills while the writer writes come after at most so long; those of the second agent, which has everything before it, sooner. */
const MAX_LIFE_MS = 5_000;
const MAX_BACKFILL_LIFE_MS = 2_500;

test("a real Elasticsearch is there", (context) => {
  if (URL_OF !== undefined) return;
  if (process.env.REQUIRE_SERVICES === "1") throw new Error(`${MISSING}, and REQUIRE_SERVICES=1`);
  process.stderr.write(`\n*** SKIPPED: ${MISSING} ***\n`);
  context.skip(MISSING);
});

interface Hit {
  readonly _id: string;
  readonly _source: Record<string, unknown>;
}

async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${URL_OF}${path}`, {
    method,
    headers: { "content-type": "application/json", ...(API_KEY && { authorization: `ApiKey ${API_KEY}` }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return parseExact(await response.text()) as Record<string, unknown>;
}

/** `_count`, which `parseExact` leaves as written. */
const countOf = async (index: string) => Number((await api("GET", `/${index}/_count`)).count);

/** Every document of an index, with its numbers as they are written. */
async function everything(index: string): Promise<Hit[]> {
  const found: Hit[] = [];
  let page = await api("POST", `/${index}/_search?scroll=2m`, { size: 2_000, sort: ["_doc"] });
  for (;;) {
    const { hits } = (page as { hits: { hits: Hit[] } }).hits;
    if (hits.length === 0) return found;
    for (const hit of hits) found.push(hit);
    page = await api("POST", "/_search/scroll", { scroll: "2m", scroll_id: page._scroll_id });
  }
}

describe.runIf(URL_OF !== undefined)("kill -9 in front of a real Elasticsearch", () => {
  const run = `kill${process.pid}x${SEED}`;
  const random = seeded(SEED);

  afterAll(async () => {
    // Servers refuse to delete by pattern.
    const { indices } = (await api("GET", `/_resolve/index/${run}-*`)) as { indices?: { name: string }[] };
    for (const { name } of indices ?? []) await api("DELETE", `/${name}`);
    for (const name of ["first", "second"])
      for (const what of ["_index_template", "_ilm/policy"]) await api("DELETE", `/${what}/${run}-${name}`);
  });

  function config(workspace: Workspace, name: string, url: string): string {
    const logs = workspace.path("logs");
    const wait = { rotate_wait: "1s" };
    return JSON.stringify({
      service: { data_dir: workspace.path(`data-${name}`), log_format: "json", queue: { segment_bytes: "4MiB" } },
      pipeline: {
        inputs: [
          {
            name: "tail",
            alias: "dashboard",
            tag: "audit.dashboard",
            path: `${logs}/dashboard/audit-*.jsonl`,
            ...wait,
          },
          { name: "tail", alias: "app", tag: "audit.app", path: `${logs}/app/app.jsonl*`, ...wait },
          { name: "agent_audit", tag: "audit.agent", path: `${logs}/agent/agent-audit.jsonl` },
        ],
        filters: [{ name: "metadata", match: "*", add: { shipped: run } }],
        outputs: [
          {
            name: "elasticsearch",
            match: "audit.*",
            url,
            ...(API_KEY && { api_key: API_KEY }),
            index: `${run}-${name}-%Y.%m.%d`,
            setup: true,
            // Each new field is an update of the cluster: the corpora have thousands.
            template: { replicas: 0, fields: 60 },
            retry: { initial: "100ms", max: "1s" },
          },
        ],
      },
    });
  }

  /** Starts and kills while `on` says so. Returns how often it did. */
  async function killed(file: string, maxLifeMs: number, on: (kills: number) => boolean): Promise<number> {
    let kills = 0;
    for (; on(kills); kills++) {
      const agent = AgentProcess.run(file);
      await Promise.race([delay(random() * maxLifeMs), agent.exited]);
      if (agent.exit) throw new Error(`the agent ended by itself: ${JSON.stringify(agent.exit)}\n${agent.stderr}`);
      await agent.kill();
    }
    return kills;
  }

  /** Cuts the way for a while now and then; restarts the server in the middle where that can be done. */
  async function trouble(way: Cuttable, over: () => boolean): Promise<void> {
    const from = performance.now();
    let restarted = RESTART === undefined;
    while (!over()) {
      await delay(2_000 + random() * 6_000);
      if (!restarted && performance.now() - from > (ENTRIES / PER_SECOND) * 400) {
        restarted = true;
        await command(RESTART!);
        continue;
      }
      await way.cut();
      await delay(random() * 2_000);
      await way.mend();
    }
  }

  /** All that was finished is there, once, as it was written; the ledger says the same. Answers ids by line. */
  async function expectAll(name: string, workspace: Workspace, lines: readonly Buffer[], last: AgentProcess) {
    const index = `${run}-${name}-*`;
    const dead = lines.filter(deadLine);
    const expected = new Map(
      lines.filter((line) => !deadLine(line)).map((line) => [keyOf(documentOf(line, run)), line]),
    );
    expect(expected.size + dead.length, "the writer never writes a line twice").toBe(lines.length);
    await api("POST", `/${index}/_refresh`);
    expect(await countOf(index)).toBe(expected.size);

    const ids = new Map<string, string>();
    const wrong: string[] = [];
    for (const { _id, _source } of await everything(index)) {
      const key = keyOf(_source);
      const line = expected.get(key);
      if (line === undefined || ids.has(key)) wrong.push(`${line ? "twice" : "foreign"}: ${_id} ${key.slice(0, 300)}`);
      ids.set(key, _id);
      if (line === undefined) continue;
      const { "@timestamp": stamp, time_from: _, ...document } = _source;
      if (document.parse_error !== undefined) document.parse_error = "";
      if (typeof stamp !== "string") wrong.push(`no time: ${_id} ${key}`);
      const [is, should] = [JSON.stringify(document), JSON.stringify(documentOf(line, run))];
      if (is !== should) wrong.push(`differs: ${_id}\n  ${is.slice(0, 500)}\n  ${should.slice(0, 500)}`);
    }
    const lost = [...expected.keys()].filter((key) => !ids.has(key));
    expect({ name, lost: lost.length, some: lost.slice(0, 5), wrong: wrong.slice(0, 5) }).toEqual({
      name,
      lost: 0,
      some: [],
      wrong: [],
    });
    expect(new Set(ids.values()).size).toBe(expected.size);

    const letters = await deadLetters(workspace, name);
    expect([...letters].sort()).toEqual(dead.map(String).sort());
    expect(ledgersOf(last).elasticsearch).toMatchObject({
      read: lines.length,
      created: 0,
      filtered: 0,
      delivered: expected.size,
      rejected: dead.length,
      lost: 0,
      queued: 0,
    });
    return ids;
  }

  async function deadLetters(workspace: Workspace, name: string): Promise<string[]> {
    const listed = await workspace.allLines(`data-${name}/dead-letters`);
    return listed.map((line) => {
      const { reason, original } = JSON.parse(line) as { reason: string; original: string };
      expect(reason).toMatch(/Duplicate field/);
      return original;
    });
  }

  /** Some of them by what a person would look for. */
  async function expectFound(name: string, ids: ReadonlyMap<string, string>): Promise<void> {
    const numbered = [...ids].filter(([key]) => /^\d+$/.test(key));
    for (let i = 0; i < 50; i++) {
      const [seq, id] = numbered[Math.floor(random() * numbered.length)]!;
      const { hits } = (await api("POST", `/${run}-${name}-*/_search`, { query: { term: { seq } } })) as {
        hits: { hits: Hit[] };
      };
      expect(hits.hits.map(({ _id }) => _id)).toEqual([id]);
    }
  }

  test(`${ENTRIES} entries, seed ${SEED}`, { timeout: 400_000 }, async () => {
    process.stderr.write(
      `\n  kill -9: ${ENTRIES} entries, SEED=${SEED}${RESTART ? "" : "; ELASTICSEARCH_RESTART is not set"}\n`,
    );
    const workspace = new Workspace();
    const way = await Cuttable.to(URL_OF!);
    const first = await workspace.write("first.yaml", config(workspace, "first", way.url));
    const writer = startWriter(workspace, {
      seed: SEED,
      real: true,
      lines: ENTRIES,
      linesPerSecond: PER_SECOND,
      rotateBytes: 600_000,
      shiftMs: 1_500,
      dayMs: 5_000,
    });
    const [kills] = await Promise.all([
      killed(first, MAX_LIFE_MS, () => !writer.over),
      trouble(way, () => writer.over),
    ]);
    await writer.stop();
    const lines = splitLines(await readFile(workspace.path("journal.jsonl")));
    const ids = await expectAll("first", workspace, lines, await runOnce(first));
    await expectFound("first", ids);
    process.stderr.write(`  ${lines.length} lines, ${kills} kills, each arrived once\n`);

    const second = await workspace.write("second.yaml", config(workspace, "second", way.url));
    await killed(second, MAX_BACKFILL_LIFE_MS, (done) => done < 8);
    const again = await expectAll("second", workspace, lines, await runOnce(second));
    expect([...again].filter(([key, id]) => ids.get(key) !== id).slice(0, 5), "ids are the same again").toEqual([]);
  });
});

async function command(text: string): Promise<void> {
  const child = spawn("sh", ["-c", text], { stdio: "ignore" });
  const code = await new Promise((resolve) => child.once("exit", resolve));
  if (code !== 0) throw new Error(`ELASTICSEARCH_RESTART ended with ${code}`);
}

function splitLines(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0x0a, from);
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return lines;
}
