import { afterEach, expect, test } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSplunk, type FakeSplunkOptions } from "../../test/fakes/splunk.ts";
import definition from "./index.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Partial<FakeSplunkOptions> = {}): Promise<FakeSplunk> {
  const fake = await FakeSplunk.start({ token: "t", ...options });
  closing.push(() => fake.stop());
  return fake;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const parsed = definition.options.parse({ token: "t", ...options });
  const made = await definition.create(parsed, {
    alias: "splunk",
    node: "host-1",
    version: "0",
    clock: { now: () => Date.UTC(2026, 1, 1), monotonic: () => performance.now() },
    fields: new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]),
    emit: (_: AgentEvent) => undefined,
  });
  closing.push(() => made.close());
  return made;
}

const write = (out: Output, lines: string[], signal = new AbortController().signal): Promise<WriteResult> =>
  out.write([batchOf(lines)], { id: "plan", repeat: false }, signal);

test("the envelope has the entry's time to its last digit, its origin and the chain's hash as an indexed field", async () => {
  const fake = await start();
  const lines = [
    '{"timestamp":"2026-02-01T09:00:17.123456+01:00","event":"a.b","n":1,"ok":true,"o":{},"_integrity_hash":"ab12"}',
    '{"timestamp":"2026-02-01T09:00:17Z","chain_hash":"cd34","event":"x\\"y"}',
    "no JSON",
  ];
  await write(
    await output({ url: fake.url, index: "audit", indexed_fields: ["event", "n", "ok", "o", "absent"] }),
    lines,
  );
  expect(fake.events).toMatchObject([
    {
      time: "1769932817.123456",
      host: "host-1",
      source: "test",
      sourcetype: "_json",
      index: "audit",
      fields: { tag: "audit.test", integrity_hash: "ab12", event: "a.b", n: 1, ok: true },
      text: lines[0],
    },
    { time: "1769936417.000", fields: { integrity_hash: "cd34", event: 'x"y' }, text: lines[1] },
    { time: "1769904000.000", text: expect.stringContaining('"message":"no JSON"') },
  ]);
  expect(fake.events[0]!.fields).not.toHaveProperty("o");
  const ids = fake.events.map(({ fields }) => fields!.record_id);
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toMatch(/^A{22}-\d+$/);
});

test("raw lines name their origin in the address; originals of what is no JSON travel as strings in envelopes", async () => {
  const fake = await start();
  await write(await output({ url: fake.url, mode: "raw", host: "h", source: "s" }), ['{"a":1}']);
  expect(fake.events).toEqual([{ host: "h", source: "s", sourcetype: "_json", index: null, text: '{"a":1}' }]);
  await write(await output({ url: fake.url, format: "original" }), ['say "hi"', '{"a": 1}']);
  expect(fake.events.slice(1).map(({ text }) => text)).toEqual(['"say \\"hi\\""', '{"a": 1}']);
});

test.each([0, 1])("the invalid events are rejected, the others arrive; numbers from %d", async (firstNumber) => {
  const fake = await start({ refuse: "bad", firstNumber });
  fake.fail("refused");
  const out = await output({ url: fake.url });
  const lines = Array.from({ length: 10 }, (_, i) => `{"n":${i},"what":"${i === 3 || i === 7 ? "bad" : "good"}"}`);
  const result = await write(out, lines);
  if (firstNumber === 0) {
    expect([...result.failed!].map(([at, { action }]) => [at, action])).toEqual([
      [3, "reject"],
      [7, "reject"],
    ]);
    expect(fake.events).toHaveLength(8);
  } else {
    // Whoever was named is innocent: nothing is rejected, and the lane halves.
    expect(result).toEqual({ refused: expect.stringContaining("Invalid data format") });
  }
});

test.each([
  [{ token: "other" }, {}, "check `token`"],
  [{}, { index: "nowhere" }, "may not write to `index`"],
  [{ acknowledgement: false }, { acknowledge: true }, "no indexer acknowledgement"],
])("the operator's fault waits and says what to do: %j %j", async (server, options, says) => {
  const fake = await start({ indexes: ["main"], ...server });
  expect(await write(await output({ url: fake.url, ...options }), ['{"n":1}'])).toEqual({
    blocked: expect.stringContaining(says),
  });
});

test("probe finds a wrong token, which the health endpoint does not know", async () => {
  const fake = await start();
  const { signal } = new AbortController();
  await (await output({ url: `${fake.url}/services/collector/event` })).probe(signal);
  await expect((await output({ url: fake.url, token: "wrong" })).probe(signal)).rejects.toThrow("Invalid token");
  expect(fake.events).toEqual([]);
});

test("delivered means acknowledged: without an acknowledgement it is sent again", async () => {
  const fake = await start({ acknowledgement: true, ackAfter: 3 });
  const out = await output({ url: fake.url, acknowledge: true, ack_interval: "10ms", ack_timeout: "300ms" });
  expect(await write(out, ['{"n":1}'])).toEqual({});
  expect(fake.requests.filter(({ path }) => path.endsWith("/ack")).length).toBeGreaterThanOrEqual(3);
  fake.fail("no_acks");
  await expect(write(out, ['{"n":2}'])).rejects.toThrow("not acknowledged within 300 ms");
  fake.heal();
  const both = await Promise.all([write(out, ['{"n":2}']), write(out, ['{"n":3}'])]);
  expect(both).toEqual([{}, {}]);
});

test("of several collectors the one that is down is left out", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ url: [first.url, second.url] });
  for (let i = 0; i < 4; i++) await write(out, [`{"n":${i}}`]);
  expect([first.events.length, second.events.length]).toEqual([2, 2]);
  await first.stop();
  // A connection that was kept alive tells only in use that nobody is there any more: that one write is repeated.
  await write(out, ['{"n":4}']).catch(() => write(out, ['{"n":4}']));
  for (let i = 5; i < 8; i++) await write(out, [`{"n":${i}}`]);
  expect(second.events).toHaveLength(6);
});

test("a server that answers with the very token makes nobody say it", async () => {
  const fake = await start({ token: "another" });
  fake.script({ status: 401, text: "scheme or token does not match: Splunk 5cr3t-t0ken" });
  const result = await write(await output({ url: fake.url, token: "5cr3t-t0ken" }), ["{}"]);
  expect(result).toEqual({ blocked: "HTTP 401: scheme or token does not match: Splunk [secret] (check `token`)" });
});

test("a page of a proxy is not believed", async () => {
  const fake = await start();
  fake.script({ status: 200, text: "<html>Please log in</html>" });
  await expect(write(await output({ url: fake.url }), ["{}"])).rejects.toThrow("does not come from a collector");
});
