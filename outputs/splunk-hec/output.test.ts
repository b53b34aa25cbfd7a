import { afterEach, expect, test } from "vitest";
import { RecordBatch } from "../../agent/api/batch.ts";
import { Secret } from "../../agent/api/options.ts";
import type { Output } from "../../agent/api/output.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSplunk, type FakeSplunkOptions } from "../../test/fakes/splunk.ts";
import { splunkOutput, writeLines as write } from "../../test/fakes/splunk-output.ts";
import { checkOptions, splunkOptions } from "./options.ts";

const BUSY = "HTTP 503: Server is busy, code 9";
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
  const made = await splunkOutput(options);
  closing.push(() => made.close());
  return made;
}

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
      fields: { tag: "audit.test", integrity_hash: "ab12", event: "a.b", n: "1", ok: "true" },
      text: lines[0],
    },
    { time: "1769936417.000", fields: { integrity_hash: "cd34", event: 'x"y' }, text: lines[1] },
    { time: "1769904000.000", fields: { time_from: "agent" }, text: expect.stringContaining('"message":"no JSON"') },
  ]);
  for (const absent of ["o", "time_from", "absent"]) expect(fake.events[0]!.fields).not.toHaveProperty(absent);
  const ids = fake.events.map(({ fields }) => fields!.record_id);
  expect(new Set(ids).size).toBe(3);
  expect(ids[0]).toMatch(/^A{22}-\d+$/);
});

test.each([
  ['"2026-02-01T09:00:17.123456789Z"', "1769936417.123456789", undefined],
  ['"2026-02-01T09:00:17.1-11:30"', "1769977817.100", undefined],
  ['"1970-01-01T00:00:00Z"', "0.000", undefined],
  ['"9999-12-31T23:59:59.999Z"', "253402300799.999", undefined],
  ['"1969-12-31T23:59:59.999Z"', "1769904000.000", "agent"],
  ['"2026-02-01T09:00:17"', "1769904000.000", "agent"],
  ['"soon"', "1769904000.000", "agent"],
  ["null", "1769904000.000", "agent"],
  ["1769936417.25", "1769936417.250", undefined],
  ["-5", "1769904000.000", "agent"],
])("the time of %s is %s", async (timestamp, time, from) => {
  const fake = await start();
  await write(await output({ url: fake.url }), [`{"timestamp":${timestamp}}`]);
  expect([fake.events[0]!.time, fake.events[0]!.fields!.time_from]).toEqual([time, from]);
});

test("indexed fields are texts, and none is empty or stands for one of the event's own", async () => {
  const fake = await start();
  const indexed_fields = ["n", "f", "e", "b", "s", "l", "z", "tag", "record_id"];
  const line = '{"n":-12,"f":1.0,"e":1e400,"b":false,"s":"","l":["x"],"z":null,"tag":"own","record_id":"own"}';
  await write(await output({ url: fake.url, indexed_fields }), [line]);
  expect(fake.events[0]!.fields).toEqual({
    ...{ tag: "audit.test", record_id: expect.stringMatching(/^A{22}-\d+$/), time_from: "agent" },
    ...{ n: "-12", f: "1.0", e: "1e400", b: "false" },
  });
  const warned = checkOptions(
    splunkOptions.parse({ url: "http://h", token: "t", indexed_fields: ["tag", "host", "_x", "actor"] }),
  );
  expect(warned.warnings.map(({ path }) => path[1])).toEqual([0, 1, 2]);
});

test("raw lines name their origin in the address; originals of what is no JSON travel as strings in envelopes", async () => {
  const fake = await start();
  await write(await output({ url: fake.url, mode: "raw", host: "a b+c&d", source: "s" }), ['{"a":1}']);
  expect(fake.requests.at(-1)!.url).toContain("host=a%20b%2Bc%26d&");
  expect(fake.events).toEqual([{ host: "a b+c&d", source: "s", sourcetype: "_json", index: null, text: '{"a":1}' }]);
  await write(await output({ url: fake.url, format: "original" }), ['say "hi"', '{"a": 1}']);
  expect(fake.events.slice(1).map(({ text }) => text)).toEqual(['"say \\"hi\\""', '{"a": 1}']);
  const bytes = Buffer.from("caf\xe9", "latin1");
  const out = await output({ url: fake.url, format: "original" });
  await out.write([batchOf([bytes])], { id: "p", repeat: false }, AbortSignal.timeout(10_000));
  expect(fake.events.at(-1)!.text).toBe(`{"message":"caf\ufffd","message_base64":"${bytes.toString("base64")}"}`);
});

test("what is no JSON stays as it is in raw lines that are originals, and only there", async () => {
  const fake = await start();
  const lines = ['{"a":NaN}', "{'a':1}"];
  const sent = async (options: object) => {
    await write(await output({ url: fake.url, ...options }), lines);
    return fake.events.splice(0).map(({ text }) => text);
  };
  expect(await sent({ mode: "raw", format: "original" })).toEqual(lines);
  expect((await sent({ mode: "raw" }))[0]).toBe('{"a":null}');
  expect((await sent({ format: "original" }))[0]).toBe('{"a":null}');
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

test("what happens while an invalid event is looked at alone is no refusal of the others", async () => {
  const fake = await start({ refuse: "bad" });
  const out = await output({ url: fake.url });
  const invalid = { status: 400, text: '{"text":"Invalid data format","code":6,"invalid-event-number":1}' };
  fake.script(invalid, { status: 503, text: '{"text":"Server is busy","code":9}', headers: { "retry-after": "4" } });
  const { failed, pauseMs } = await write(out, ["{}", "{}"]);
  expect([[...failed!.values()].map(({ action }) => action), pauseMs]).toEqual([["retry", "retry"], 4_000]);
  fake.script(invalid, { status: 500, text: '{"text":"Internal server error","code":8}' });
  await expect(write(out, ["{}", "{}"])).rejects.toThrow("Internal server error");
  expect(fake.events).toEqual([]);
});

test("raw lines go out in one request a source", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, mode: "raw" });
  const batches = ["/a", "/b", "/a"].map((path, i) => {
    const batch = batchOf([`{"n":${i}}`]);
    return new RecordBatch({ ...batch, source: { ...batch.source, path } });
  });
  await out.write(batches, { id: "p", repeat: false }, AbortSignal.timeout(10_000));
  expect(fake.requests).toHaveLength(2);
  expect(fake.events.map(({ source, text }) => [source, text])).toEqual([
    ["/a", '{"n":0}'],
    ["/a", '{"n":2}'],
    ["/b", '{"n":1}'],
  ]);
});

test("what makes no sense is refused", () => {
  const errors = (options: object) =>
    checkOptions(splunkOptions.parse({ url: "https://h", token: "t", ...options })).errors.map(({ path }) => path[0]);
  expect(errors({})).toEqual([]);
  expect(errors({ ack_interval: "0" })).toEqual(["ack_interval"]);
  expect(errors({ ack_timeout: "1s" })).toEqual(["ack_timeout"]);
  expect(errors({ url: ["https://h", "https://u:p@h"] })).toEqual(["url"]);
  expect(errors({ url: "https://h/?token=t" })).toEqual(["url"]);
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

test("of several collectors the one that is down is left out", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ url: [first.url, second.url] });
  for (let i = 0; i < 4; i++) await write(out, [`{"n":${i}}`]);
  expect([first.events.length, second.events.length]).toEqual([2, 2]);
  await first.stop();
  for (let i = 4; i < 8; i++) expect(await write(out, [`{"n":${i}}`])).toEqual({});
  expect(second.events).toHaveLength(6);
});

test("a collector that is busy is left alone while another is not", async () => {
  const [first, second] = [await start(), await start()];
  first.fail("unavailable");
  const out = await output({ url: [first.url, second.url] });
  expect(await write(out, ["{}"])).toMatchObject({ failed: new Map([[0, { action: "retry", reason: BUSY }]]) });
  for (let i = 0; i < 4; i++) expect(await write(out, ["{}"])).toEqual({});
  expect([first.requests.length, second.requests.length]).toEqual([1, 4]);
});

test("with all of them down it says so, and goes on when one is back", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ url: [first.url, second.url] });
  await Promise.all([first.stop(), second.stop()]);
  await expect(write(out, ["{}"])).rejects.toThrow("ECONNREFUSED");
  await second.restart();
  expect(await write(out, ["{}"])).toEqual({});
});

test("a server that answers with the very token makes nobody say it", async () => {
  const fake = await start({ token: "another" });
  fake.script({ status: 401, text: "scheme or token does not match: Splunk 5cr3t-t0ken" });
  const result = await write(await output({ url: fake.url, token: "5cr3t-t0ken" }), ["{}"]);
  expect(result).toEqual({ blocked: "HTTP 401: scheme or token does not match: Splunk [secret] (check `token`)" });
});

test("a redirect is not followed: the token goes nowhere else", async () => {
  const [fake, other] = [await start(), await start()];
  fake.script({ status: 307, headers: { location: `${other.url}/services/collector/event` } });
  expect(await write(await output({ url: fake.url }), ["{}"])).toEqual({ blocked: "HTTP 307" });
  expect(other.requests).toEqual([]);
});

test("the token is read at every request, so a renewed one counts at once", async () => {
  const fake = await start({ token: "new" });
  let token = "old";
  const out = await output({ url: fake.url, token: new Secret(() => token) });
  expect(await write(out, ["{}"])).toEqual({ blocked: expect.stringContaining("Invalid token") });
  token = "new";
  expect(await write(out, ["{}"])).toEqual({});
  expect(fake.requests[0]!.headers["user-agent"]).toBe("audit-agent/1.2.3");
});

test("a token that no header may hold is not said", async () => {
  const fake = await start();
  const error = await write(await output({ url: fake.url, token: "s3cr3t\r\nx: y" }), ["{}"]).catch(String);
  expect(error).toContain('header content ["authorization"]: its value holds what no header may');
  expect(error).not.toContain("s3cr3t");
});

test("a page of a proxy is not believed", async () => {
  const fake = await start();
  fake.script({ status: 200, text: "<html>Please log in</html>" });
  await expect(write(await output({ url: fake.url }), ["{}"])).rejects.toThrow("does not come from a collector");
});
