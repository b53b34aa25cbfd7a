/**
 * Against a real Elasticsearch 8 or 9: `ELASTICSEARCH_URL` names it (and `ELASTICSEARCH_API_KEY`, where it asks for one).
 * `docker compose -f docker-compose.test.yml up -d --wait elasticsearch` starts one on http://127.0.0.1:9200.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/elasticsearch/index.ts";
import { batchOf as anyBatchOf, type BatchSettings, entries } from "../contract/records.ts";

/** Offsets from 0, so that the same lines have the same ids. */
const batchOf = (lines: readonly (string | Buffer)[], settings: BatchSettings = {}) =>
  anyBatchOf(lines, { offset: 0, ...settings });

const URL_OF = process.env.ELASTICSEARCH_URL;
const API_KEY = process.env.ELASTICSEARCH_API_KEY;
/** Lines of every known writer: the project's own, and more where somebody has them. */
const CORPORA = [
  join(import.meta.dirname, "../corpora"),
  process.env.AUDIT_CORPORA ?? join(import.meta.dirname, "../../../shared/corpora"),
].filter((folder) => existsSync(folder));
const MISSING = "ELASTICSEARCH_URL is not set, so nothing was tried against a real Elasticsearch";

test("a real Elasticsearch is there", (context) => {
  if (URL_OF !== undefined) return;
  if (process.env.REQUIRE_SERVICES === "1") throw new Error(`${MISSING}, and REQUIRE_SERVICES=1`);
  process.stderr.write(`\n*** SKIPPED: ${MISSING} ***\n`);
  context.skip(MISSING);
});

describe.runIf(URL_OF !== undefined)("a real Elasticsearch", () => {
  const run = `it${process.pid}x${systemClock.now().toString(36)}`;
  const events: AgentEvent[] = [];
  const open: Output[] = [];

  async function api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${URL_OF}${path}`, {
      method,
      headers: { "content-type": "application/json", ...(API_KEY && { authorization: `ApiKey ${API_KEY}` }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  async function output(options: Record<string, unknown>): Promise<Output> {
    const parsed = definition.options.parse({ url: URL_OF, ...(API_KEY && { api_key: API_KEY }), ...options });
    const made = await definition.create(parsed, {
      alias: "es",
      node: "it",
      version: "0",
      clock: systemClock,
      fields: new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]),
      emit: (event) => void events.push(event),
    });
    open.push(made);
    return made;
  }

  const write = (out: Output, batches: RecordBatch[], repeat = false): Promise<WriteResult> =>
    out.write(batches, { id: "plan", repeat }, AbortSignal.timeout(120_000));

  async function count(index: string): Promise<number> {
    await api("POST", `/${index}/_refresh`);
    return (await api("GET", `/${index}/_count`)).count as number;
  }

  async function sources(index: string, body: object): Promise<Record<string, unknown>[]> {
    await api("POST", `/${index}/_refresh`);
    const { hits } = (await api("POST", `/${index}/_search`, { size: 100, ...body })) as {
      hits: { hits: { _source: Record<string, unknown> }[] };
    };
    return hits.hits.map(({ _source }) => _source);
  }

  beforeAll(async () => {
    const { version } = (await api("GET", "/")) as { version: { number: string } };
    process.stderr.write(`\nElasticsearch ${version.number} at ${URL_OF}\n`);
  });
  afterEach(async () => {
    for (const out of open.splice(0)) await out.close();
    events.length = 0;
  });
  afterAll(async () => {
    for (const path of [`/_data_stream/${run}*`, `/${run}*`, `/_index_template/${run}*`]) await api("DELETE", path);
  });

  test("probe finds it", async () => {
    await (await output({ index: `${run}-probe` })).probe(AbortSignal.timeout(30_000));
  });

  test.each(["none", "gzip"])("what was sent twice is there once (compression %s)", async (compression) => {
    const index = `${run}-twice-${compression}-%Y.%m.%d`;
    const out = await output({ index, compression });
    const batch = batchOf(entries(3_000));
    expect(await write(out, [batch])).toEqual({});
    expect(await write(out, [batch], true)).toEqual({ repeated: 3_000 });
    // As a reinstalled agent would: never sent before, so each is compared.
    const again = await output({ index, compression });
    expect(await write(again, [batch.slice(0, 300)])).toEqual({ repeated: 300 });
    expect(await count(`${run}-twice-${compression}-2026.02.01`)).toBe(3_000);
  });

  test("another document under our id is a collision", async () => {
    const index = `${run}-collision`;
    const batch = batchOf(entries(3));
    await api("PUT", `/${index}/_doc/${batch.id(1)}?refresh=true`, { forged: true });
    const { failed, repeated } = await write(await output({ index }), [batch]);
    expect(repeated).toBeUndefined();
    expect([...failed!]).toEqual([[1, { action: "reject", reason: expect.stringMatching(/^id_collision: /) }]]);
    expect(await count(index)).toBe(3);
  });

  test("documents that do not fit are rejected one by one, operators' faults wait", async () => {
    const index = `${run}-faults`;
    await api("PUT", `/${index}`, {
      mappings: {
        dynamic: "strict",
        properties: { n: { type: "byte" }, "@timestamp": { type: "date_nanos" }, o: { properties: {} } },
      },
    });
    const out = await output({ index });
    const lines = ['{"n":1}', '{"n":"x"}', '{"n":1000}', '{"m":1}', '{"n":1,"n":2}', '{"o":"text"}', '{"n":2}'];
    const { failed } = await write(out, [
      batchOf(lines.map((line) => `${line.slice(0, -1)},"@timestamp":"2026-02-01T00:00:00Z"}`)),
    ]);
    expect([...failed!].map(([i, { action }]) => [i, action])).toEqual([1, 2, 3, 4, 5].map((i) => [i, "reject"]));
    for (const { reason } of failed!.values()) expect(reason).toMatch(/_exception: /);

    await api("PUT", `/${index}/_settings`, { "index.blocks.write": true });
    const blocked = await write(out, [batchOf(['{"@timestamp":"2026-02-01T00:00:00Z","n":3}'], { offset: 1_000 })]);
    expect(blocked.failed!.get(0)).toMatchObject({ action: "block", reason: expect.stringContaining("write") });

    await api("PUT", "/_cluster/settings", { persistent: { "action.auto_create_index": "-never*,+*" } });
    try {
      const never = await write(await output({ index: `never-${run}` }), [batchOf(["{}"])]);
      expect(never.failed!.get(0)).toMatchObject({ action: "block", reason: expect.stringContaining("never-") });
    } finally {
      await api("PUT", "/_cluster/settings", { persistent: { "action.auto_create_index": null } });
    }
  });

  test("an immense term and too many fields are the document's fault", async () => {
    const index = `${run}-immense`;
    await api("PUT", `/${index}`, {
      settings: { "index.mapping.total_fields.limit": 5 },
      mappings: { properties: { k: { type: "keyword" } } },
    });
    const many = JSON.stringify(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${i}`, i])));
    const { failed } = await write(await output({ index }), [
      batchOf([`{"k":"${"x".repeat(40_000)}"}`, many, '{"k":"ok"}']),
    ]);
    expect([...failed!].map(([i, { action }]) => [i, action])).toEqual([
      [0, "reject"],
      [1, "reject"],
    ]);
    expect(await count(index)).toBe(1);
  });

  test("no shards left waits for the operator", async () => {
    await api("PUT", "/_cluster/settings", { persistent: { "cluster.max_shards_per_node": 1 } });
    try {
      const { failed } = await write(await output({ index: `${run}-shards` }), [batchOf(["{}"])]);
      expect(failed!.get(0)).toMatchObject({ action: "block", reason: expect.stringContaining("shards") });
    } finally {
      await api("PUT", "/_cluster/settings", { persistent: { "cluster.max_shards_per_node": null } });
    }
  });

  test("times sort to the nanosecond, and times that are none are the agent's", async () => {
    const index = `${run}-times`;
    const out = await output({ index, setup: true });
    const times = [
      '"2026-02-01T10:00:00.000000002Z"',
      '"2026-02-01T11:00:00.000000001+01:00"',
      '"2026-02-01 10:00:00,000000003Z"',
      "1769940000000000004",
    ];
    const odd = [
      '"2026-02-30T00:00:00Z"',
      '"1969-12-31T23:59:59Z"',
      '"2263-01-01T00:00:00Z"',
      '"2026-02-01T10:00:00"',
      "null",
      "{}",
    ];
    const lines = [...times, ...odd].map((time, n) => `{"timestamp":${time},"n":${n}}`);
    expect(await write(out, [batchOf([...lines, "no json"], { readTime: Date.UTC(2027, 0, 1) })])).toEqual({});
    const sorted = await sources(index, { sort: [{ "@timestamp": { order: "asc", numeric_type: "date_nanos" } }] });
    expect(sorted.slice(0, 4).map(({ n }) => n)).toEqual([1, 0, 2, 3]);
    expect(
      sorted.slice(4).every((s) => s.time_from === "agent" && s["@timestamp"] === "2027-01-01T00:00:00.000Z"),
    ).toBe(true);
    expect(sorted).toHaveLength(11);
  });

  test("setup takes every shape and every writer's lines in one index, and they can be found", async () => {
    const index = `${run}-any-%Y.%m.%d`;
    const out = await output({ index, setup: true, template: { name: `${run}-any`, replicas: 0, fields: 150 } });
    const values = [
      '{"provider":"claude","n":1,"deep":{"list":[1,{"x":"y"}]}}',
      '"prd=./prd.md,provider=claude"',
      "12.5",
      "null",
      "true",
      '[1,"a",{"b":1}]',
      '{"":1," ":2,"a.":3,".b":4,"..":5}',
      `{"big":"${"\u00e9".repeat(40_000)}"}`,
      `"${"x".repeat(40_000)}"`,
      `{"${"k".repeat(2_000)}":1}`,
      '{"n":"now a string","provider":{"was":"a string"}}',
      `${'{"a":'.repeat(100)}1${"}".repeat(100)}`,
    ];
    const lines = values.flatMap((value) => [
      `{"timestamp":"2026-02-01T10:00:00Z","details":${value}}`,
      `{"timestamp":"2026-02-01T10:00:00Z","metadata":${value},"error":${value}}`,
    ]);
    lines.push('{"timestamp":"2026-02-01T10:00:00Z"}');
    const keys = Array.from(
      { length: 300 },
      (_, i) => `{"timestamp":"2026-02-01T10:00:00Z","details":{"key${i}":${i}}}`,
    );
    const additions = [{ path: ["metadata", "hostname"] as const, json: Buffer.from('"h"') }];
    expect(await write(out, [batchOf(lines, { additions }), batchOf(keys, { offset: 10_000_000 })])).toEqual({});
    const day = `${run}-any-2026.02.01`;
    expect(await count(day)).toBe(lines.length + keys.length);
    expect(await sources(day, { query: { term: { "details.provider": "claude" } } })).toHaveLength(1);
    expect(await sources(day, { query: { term: { details: "prd=./prd.md,provider=claude" } } })).toHaveLength(1);
    expect(await sources(day, { query: { term: { "metadata.hostname": "h" } } })).not.toHaveLength(0);

    const { index_templates } = (await api("GET", `/_index_template/${run}-any`)) as { index_templates: unknown[] };
    expect(index_templates).toHaveLength(1);
    const policy = (await api("GET", `/_ilm/policy/${run}-any`)) as Record<string, { policy: { phases: object } }>;
    expect(policy[`${run}-any`]?.policy.phases).toMatchObject({
      hot: { actions: { set_priority: { priority: 100 } } },
      warm: { min_age: "7d", actions: { shrink: { number_of_shards: 1 }, forcemerge: { max_num_segments: 1 } } },
      cold: { min_age: "30d" },
      delete: { min_age: "365d" },
    });
  });

  test("real lines of every writer go into one index without a dead letter", async () => {
    const index = `${run}-corpora`;
    const out = await output({ index, setup: true });
    const files = CORPORA.flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: "utf8" })
        .filter((name) => /\.(jsonl|log)$/.test(name))
        .map((name) => join(folder, name)),
    );
    expect(files.length).toBeGreaterThan(0);
    const additions = [{ path: ["metadata", "hostname"] as const, json: Buffer.from('"h"') }];
    let sent = 0;
    const refused: string[] = [];
    for (const [i, file] of files.entries()) {
      const lines = readFileSync(file, "latin1")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => Buffer.from(line, "latin1"));
      const batch = batchOf(lines, { additions, sourceId: `file-${i}` });
      const { failed } = await write(out, [batch]);
      sent += lines.length - (failed?.size ?? 0);
      for (const [at, { action, reason }] of failed ?? []) {
        expect(action).toBe("reject");
        refused.push(`${file}: ${lines[at]!.toString().slice(0, 80)}: ${reason}`);
      }
    }
    // Only what was tampered with: Elasticsearch takes no document with a key twice.
    expect(refused.filter((line) => !/Duplicate field/.test(line))).toEqual([]);
    expect(refused.every((line) => line.includes("dup-key"))).toBe(true);
    expect(await count(index)).toBe(sent);
  });

  test("a data stream takes entries, repeats and lines without a time", async () => {
    const stream = `${run}-stream`;
    const options = { data_stream: stream, setup: true };
    expect(definition.guarantee(definition.options.parse({ url: URL_OF, ...options }))).toBe("at-least-once");
    const out = await output(options);
    const batch = batchOf([...entries(50), "no json", '{"timestamp":"x"}']);
    expect(await write(out, [batch])).toEqual({});
    expect(await write(out, [batch], true)).toEqual({ repeated: 52 });
    expect(await write(await output(options), [batch])).toEqual({ repeated: 52 });
    expect(await count(stream)).toBe(52);
    const { data_streams } = (await api("GET", `/_data_stream/${stream}`)) as { data_streams: unknown[] };
    expect(data_streams).toHaveLength(1);
  });

  test("a hundred thousand entries are a hundred thousand documents", async () => {
    const out = await output({ index: `${run}-many-%Y.%m.%d` });
    let sent = 0;
    while (sent < 100_000) {
      const writes = [0, 1].map((i) =>
        write(out, [
          batchOf(entries(5_000, sent + i * 5_000, "f".repeat(300)), { offset: (sent + i * 5_000) * 1_000 }),
        ]),
      );
      for (const result of await Promise.all(writes)) {
        expect(result.failed?.size ?? 0).toBe(0);
      }
      sent += 10_000;
    }
    expect(await count(`${run}-many-2026.02.01`)).toBe(100_000);
  });
});
