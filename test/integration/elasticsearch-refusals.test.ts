/** What a real Elasticsearch refuses: entries that do not fit, entries made to do harm, and everything an operator can get wrong. */
import { appendFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { entries } from "../contract/records.ts";
import { ledgersOf, stopOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { batchOf, RealElasticsearch, write } from "./elasticsearch-server.ts";
import { service } from "./services.ts";

const there = service("Elasticsearch", ["ELASTICSEARCH_URL"]);

const nested = (levels: number, open: string, close: string) => `${open.repeat(levels)}1${close.repeat(levels)}`;
const dotted = (levels: number) => Array.from({ length: levels }, () => "b").join(".");
const STAMP = '"timestamp":"2026-02-01T10:00:00Z"';

/** Each beside a good one. None may stop the others, and none the server. */
const HARMFUL: readonly string[] = [
  `"a":${nested(21, '{"a":', "}")}`,
  `"a":${nested(1_100, '{"a":', "}")}`,
  `"a":${nested(6_000, '{"a":', "}")}`,
  `"a":${nested(1_100, "[", "]")}`,
  `"${dotted(900)}":1`,
  `"${dotted(20_000)}":1`,
  `"${dotted(100_000)}":1`,
  `"${dotted(100_000).replaceAll(".", "\\u002e")}":1`,
  `"c":{"${dotted(20_000)}":1},"c":2`,
  `"${"k".repeat(900)}":"x"`,
  `"${"k".repeat(40_000)}":1`,
  `"${"k".repeat(60_000)}":1`,
  `"n":${"9".repeat(2_000)}`,
  `"n":${"9".repeat(30)}`,
  `"n":1e400`,
  `"n":-1e99999999999`,
  `"n":{"x":1}`,
  `"n":["text",{}]`,
  `"s":"${"x".repeat(40_000)}"`,
  `"s":"${"\u20ac".repeat(300_000)}"`,
  `"s":"\\ud800","\\udc00":1`,
  `"s":"a\\u0000b","a\\u0000b":1`,
  ...["", " ", ".", "..", "a.", ".a", "a..b", "*", "\\\\", '\\"', "/", "#", "_", "a,b"].map((name) => `"${name}":1`),
  ...["_id", "_index", "_source", "_type", "_routing", "_version", "_seq_no", "_primary_term", "_ignored"].map(
    (name) => `"${name}":1`,
  ),
  ...["_field_names", "_doc_count", "_nested_path", "_tier", "_ts_routing_hash", "_inference_fields", "_size"].map(
    (name) => `"${name}":{"a":-1}`,
  ),
  `"d":"2026-02-30T00:00:00Z"`,
  `"d":"+999999999-01-01"`,
  `"@timestamp":"1800-01-01T00:00:00Z"`,
  `"@timestamp":"9999-01-01T00:00:00Z"`,
  `"@timestamp":{"a":1}`,
  `"@timestamp":null`,
  `"a":1,"a":2`,
  `"y.b":1,"y":{"b":2}`,
  `"y.b":1,"y":2`,
  `"v":[${"0.5,".repeat(5_000)}0.5]`,
  `"v":"no vector"`,
  ...Array.from({ length: 3 }, (_, i) => Array.from({ length: 500 }, (_, k) => `"f${i}_${k}":${k}`).join()),
];

describe.runIf(there.there)("a real Elasticsearch refuses", () => {
  const real = new RealElasticsearch(there.env.ELASTICSEARCH_URL, process.env.ELASTICSEARCH_API_KEY, "ref");
  const { run } = real;

  test.each([
    ["an index with the server's own mapping", { index: `${run}-harm` }],
    ["an index that setup made", { index: `${run}-harm-setup`, setup: true }],
    ["a data stream that setup made", { data_stream: `${run}-harm-stream`, setup: true }],
  ])("an entry made to do harm alone, and survives it: %s", async (_, options) => {
    const out = await real.output(options);
    // Types that later ones are at odds with.
    expect(
      await write(out, [batchOf([`{${STAMP},"b":true,"n":1,"s":"x","d":"2026-02-01"}`], { offset: 1e9 })]),
    ).toEqual({});
    const lines = HARMFUL.flatMap((members, i) => [`{${STAMP},${members}}`, `{${STAMP},"good":"${i}"}`]);
    const { failed = new Map(), ...rest } = await write(out, [batchOf(lines)]);
    expect(rest).toEqual({});
    for (const [at, { action, reason }] of failed) {
      expect(`${action} ${lines[at]!.slice(0, 200)}: ${reason}`).toMatch(/^reject .*_exception: /);
      expect(at % 2, "the good one beside it").toBe(0);
    }
    // Some of them must be, or nothing was tried.
    expect(failed.size).toBeGreaterThan(5);
    const name = "index" in options ? options.index : options.data_stream;
    expect(await real.count(name!)).toBe(1 + lines.length - failed.size);
  });

  test("mapping conflicts become dead letters with the server's reason, the rest arrives", async () => {
    const index = `${run}-conflicts`;
    await real.api("PUT", `/${index}`, { mappings: { properties: { n: { type: "long" } } } });
    const workspace = new Workspace();
    const lines = entries(1_000).map((line, i) =>
      i % 100 === 7 ? line.replace(/"n":\d+/, '"n":{"was":"long"}') : line,
    );
    await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const agent = await real.agent(workspace, { index });
    await agent.until("the good ones to arrive", async () => (await real.count(index)) === 990);
    expect((await stopOf(agent)).out).toMatchObject({ read: 1_000, delivered: 990, rejected: 10, lost: 0, queued: 0 });
    const letters = (await workspace.allLines("data/dead-letters")).map(
      (line) => JSON.parse(line) as { reason: string; original: string },
    );
    expect(letters.map(({ original }) => original).sort()).toEqual(lines.filter((line) => line.includes("was")).sort());
    for (const { reason } of letters) expect(reason).toMatch(/^document_parsing_exception: .*\[n\] of type \[long\]/);
  });

  const setting = (index: string, settings: object) => real.api("PUT", `/${index}/_settings`, settings);
  const cluster = (persistent: object) => real.api("PUT", "/_cluster/settings", { persistent });
  test.each<[string, RegExp, (index: string) => Promise<unknown>, (index: string) => Promise<unknown>]>([
    [
      "a read-only index",
      /FORBIDDEN.*read-only/,
      (index) => setting(index, { "index.blocks.read_only": true }),
      (index) => setting(index, { "index.blocks.read_only": false }),
    ],
    [
      "an index without writes",
      /index write \(api\)/,
      (index) => setting(index, { "index.blocks.write": true }),
      (index) => setting(index, { "index.blocks.write": false }),
    ],
    [
      "the flood stage of a full disk",
      /read-only-allow-delete/,
      (index) => setting(index, { "index.blocks.read_only_allow_delete": true }),
      (index) => setting(index, { "index.blocks.read_only_allow_delete": null }),
    ],
    [
      "a closed index",
      /index_closed_exception/,
      (index) => real.api("POST", `/${index}/_close`),
      (index) => real.api("POST", `/${index}/_open?wait_for_active_shards=1`),
    ],
    [
      "an index that may not be made by itself",
      /index_not_found_exception|auto/,
      async (index) => {
        await real.api("DELETE", `/${index}`);
        await cluster({ "action.auto_create_index": `-${index},+*` });
      },
      () => cluster({ "action.auto_create_index": null }),
    ],
  ])("%s: the output waits and says why, and goes on by itself", async (what, reason, block, mend) => {
    const index = `${run}-wait-${what.replace(/\W+/g, "-")}`;
    await real.api("PUT", `/${index}`);
    const workspace = new Workspace();
    try {
      await block(index);
      await workspace.write("logs/app.jsonl", `${entries(20).join("\n")}\n`);
      const agent = await real.agent(workspace, { index });
      await agent.logged(new RegExp(`is blocked: [^"]*(${reason.source})`));
      await appendFile(workspace.path("logs/app.jsonl"), `${entries(20, 20).join("\n")}\n`);
      await mend(index);
      await agent.until("all to arrive", async () => (await real.count(index)) === 40);
      expect((await stopOf(agent)).out).toMatchObject({ delivered: 40, rejected: 0, lost: 0, queued: 0 });
      expect(ledgersOf(agent).out?.read).toBe(40);
    } finally {
      await mend(index);
    }
  });

  test("a data stream rolls over: what is repeated then is there twice, as is promised", async () => {
    const stream = `${run}-roll`;
    const out = await real.output({ data_stream: stream, setup: true });
    const batch = batchOf(entries(10));
    expect(await write(out, [batch])).toEqual({});
    expect(await write(out, [batch], true)).toEqual({ repeated: 10 });
    expect(await real.api("POST", `/${stream}/_rollover`)).toMatchObject({ rolled_over: true });
    expect(await write(out, [batch], true)).toEqual({});
    expect(await real.count(stream)).toBe(20);
    const policy = (await real.api("GET", `/_ilm/policy/${stream}`)) as Record<string, { policy: { phases: object } }>;
    expect(policy[stream]?.policy.phases).toMatchObject({
      hot: {
        actions: { rollover: { max_primary_shard_size: "50gb", max_age: "1d" }, set_priority: { priority: 100 } },
      },
      warm: { min_age: "7d", actions: { set_priority: { priority: 50 } } },
      cold: { min_age: "30d", actions: { set_priority: { priority: 0 } } },
      delete: { min_age: "365d" },
    });
  });

  test("a template of equal priority is in the way: the output waits, says so, and writes nothing", async () => {
    const other = { index_patterns: [`${run}-tie-*`], priority: 500 };
    expect(await real.api("PUT", `/_index_template/${run}-other`, other)).toEqual({ acknowledged: true });
    const options = { index: `${run}-tie-%Y`, setup: true };
    const { blocked } = await write(await real.output(options), [batchOf(entries(1))]);
    expect(blocked).toMatch(/cannot make the index template: .*same priority \[500\]/);
    expect(await real.count(`${run}-tie-2026`)).toBeUndefined();
    const higher = await real.output({ ...options, template: { priority: 501, replicas: 0 } });
    expect(await write(higher, [batchOf(entries(1))])).toEqual({});
  });

  test("thirty days in one batch are thirty indices", async () => {
    const out = await real.output({ index: `${run}-day-%Y.%m.%d`, setup: true, template: { replicas: 0 } });
    const day = (n: number) => new Date(Date.UTC(2025, 0, 1 + n)).toISOString();
    const lines = Array.from({ length: 90 }, (_, n) => `{"timestamp":"${day(n % 30)}","n":${n}}`);
    expect(await write(out, [batchOf(lines)])).toEqual({});
    expect(await real.count(`${run}-day-2025.01.01`)).toBe(3);
    expect(await real.count(`${run}-day-*`)).toBe(90);
  });
});
