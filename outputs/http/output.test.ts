import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import { FakeSink, type FakeSinkOptions } from "../../test/fakes/http-sink.ts";
import { bodyPool } from "../shared/bodies.ts";
import definition from "./index.ts";
import { checkOptions, httpOptions } from "./options.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: FakeSinkOptions = {}): Promise<FakeSink> {
  const fake = await FakeSink.start(options);
  closing.push(() => fake.stop());
  return fake;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const parsed = definition.options.parse(options);
  const fields = new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]);
  const context = { alias: "h", node: "n", version: "0", clock: systemClock, fields, emit: () => undefined };
  const made = await definition.create(parsed, context);
  closing.push(() => made.close());
  return made;
}

const write = (out: Output, lines: string[]): Promise<WriteResult> =>
  out.write([batchOf(lines)], { id: "p", repeat: false }, new AbortController().signal);

test("Datadog's intake takes what the example sends", async () => {
  const fake = await start({ datadog: true, key: ["DD-API-KEY", "k"] });
  const options = { body: "json_array", add: { ddsource: "audit-agent", service: "loki-mode" }, compression: "gzip" };
  const out = await output({ url: `${fake.url}/api/v2/logs`, headers: { "DD-API-KEY": "k" }, ...options });
  expect(await write(out, ['{"n":1}', '{"n":2,"service":"own"}', "{}"])).toEqual({});
  expect(fake.entries.map((text) => JSON.parse(text) as unknown)).toEqual([
    { n: 1, ddsource: "audit-agent", service: "loki-mode" },
    { n: 2, service: "own", ddsource: "audit-agent" },
    { ddsource: "audit-agent", service: "loki-mode" },
  ]);
  expect(fake.requests[0]).toMatchObject({ path: "/api/v2/logs", headers: { "content-type": "application/json" } });
  expect(await write(out, entries(1_001))).toEqual({ refused: expect.stringContaining("413") });
  const wrong = await output({ url: fake.url, headers: { "DD-API-KEY": "other" }, ...options });
  expect(await write(wrong, ["{}"])).toEqual({ blocked: "HTTP 403: no (check the credentials)" });
});

test.each([200, 404, 405, 501, 401, 403, 500, 503])("a GET that is answered %d", async (status) => {
  const fake = await start({ get: status });
  const out = await output({ url: fake.url });
  const probing = out.probe(new AbortController().signal);
  if ([401, 403, 500, 503].includes(status)) await expect(probing).rejects.toThrow(`HTTP ${status}`);
  else await expect(probing).resolves.toBeUndefined();
});

test("a webhook gets one document an entry, its texts escaped, no faster than allowed", async () => {
  const fake = await start();
  const template = { text: "{event} by {actor}: {details}{absent}", blocks: [{ n: 1 }, {}] };
  const out = await output({ url: `${fake.url}/hook/?token=t`, body: "single", template, rate: 100 });
  const lines = ['{"event":"a \\"b\\"\\n","actor":"Zo\\u00eb","details":{"x":[1]}}', "no JSON", '{"event":"c"}'];
  expect(await write(out, lines)).not.toHaveProperty("failed");
  expect(fake.entries.map((text) => (JSON.parse(text) as { text: string }).text)).toEqual([
    'a "b"\n by Zoë: {"x":[1]}',
    " by : ",
    "c by : ",
  ]);
  expect(fake.requests[0]!.path).toBe("/hook/");
  expect(fake.requests[0]!.query.get("token")).toBe("t");
});

test("what the rate leaves no time for comes with a later write", async () => {
  const fake = await start();
  const { failed, pauseMs } = await write(await output({ url: fake.url, body: "single", rate: 0.01 }), [
    "{}",
    "{}",
    "{}",
  ]);
  expect([...failed!].map(([i, { action }]) => [i, action])).toEqual([
    [1, "later"],
    [2, "later"],
  ]);
  expect(pauseMs).toBeGreaterThan(90_000);
  expect(fake.entries).toHaveLength(1);
});

test("of single requests those that were stored are not sent again", async () => {
  const fake = await start({ refuse: "bad" });
  fake.fail("refused");
  const out = await output({ url: fake.url, body: "single" });
  fake.script({ status: 200 });
  const result = await write(out, ['{"n":0}', '{"n":"bad"}', '{"n":2}']);
  expect([...result.failed!].map(([i, { action }]) => [i, action])).toEqual([[1, "reject"]]);
  fake.heal();
  fake.script({ status: 200 }, { status: 503, text: "later", headers: { "retry-after": "7" } });
  const half = await write(out, ['{"n":0}', '{"n":1}', '{"n":2}']);
  expect([...half.failed!.keys()]).toEqual([1, 2]);
  expect(half.pauseMs).toBe(7_000);
});

test("statuses mean what they are configured to mean", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, retry_on: [409], refuse_on: [418], bearer: "b" });
  const answered = (status: number) => {
    fake.script({ status, text: "<html>why</html>" });
    return write(out, ["{}"]);
  };
  expect(await answered(409)).toMatchObject({ failed: new Map([[0, { action: "retry", reason: "HTTP 409: why" }]]) });
  expect(await answered(418)).toEqual({ refused: "HTTP 418: why" });
  expect(await answered(400)).toEqual({ blocked: "HTTP 400: why" });
  expect(await answered(302)).toEqual({ blocked: "HTTP 302: why" });
  expect(fake.requests[0]!.headers.authorization).toBe("Bearer b");
});

test("a server that answers with the credentials makes nobody say them", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, username: "u", password: "pa55word", headers: { "X-Key": "s3cr3t" } });
  const basic = Buffer.from("u:pa55word").toString("base64");
  fake.script({ status: 403, text: `not ${basic}, pa55word, s3cr3t` });
  expect(await write(out, ["{}"])).toEqual({
    blocked: "HTTP 403: not [secret], [secret], [secret] (check the credentials)",
  });
});

test("of a header with a scheme the token alone is a secret too", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, headers: { Authorization: "Token s3cr3t-t0ken" } });
  fake.script({ status: 403, text: "unknown token s3cr3t-t0ken" });
  expect(await write(out, ["{}"])).toEqual({ blocked: "HTTP 403: unknown token [secret] (check the credentials)" });
});

test("what makes no sense is refused", () => {
  const errors = (options: object) =>
    checkOptions(httpOptions.parse({ url: "https://h/", ...options })).errors.map(({ path }) => path.join("."));
  expect(errors({})).toEqual([]);
  expect(errors({ url: "https://u:p@h/?a=b" })).toEqual(["url.0"]);
  expect(errors({ template: {} })).toEqual(["template"]);
  expect(errors({ rate: 1 })).toEqual(["rate"]);
  expect(errors({ escape: "html" })).toEqual(["escape"]);
  expect(errors({ headers: { Host: "x" } })).toEqual(["headers"]);
  expect(errors({ username: "u" })).toEqual(["password"]);
  expect(errors({ format: "original", body: "json_array" })).toEqual(["format"]);
});

test("a webhook's address is a key, and is not said where the server quotes it", async () => {
  const fake = await start();
  const out = await output({
    url: `${fake.url}/services/T0001/B0001/XXXXXXXXXXXXXXXXXXXXXXXX?sig=a%2Bb-0123456789abcdef`,
  });
  const text =
    "Cannot POST /services/T0001/B0001/XXXXXXXXXXXXXXXXXXXXXXXX?sig=a%2Bb-0123456789abcdef (a+b-0123456789abcdef)";
  fake.script({ status: 404, text });
  expect(await write(out, ["{}"])).toEqual({
    blocked: "HTTP 404: Cannot POST /services/T0001/B0001/[secret]?sig=[secret] ([secret]) (check `url`)",
  });
});

test("an entry's text calls nobody in a chat that is escaped for", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, body: "single", template: { text: "<b>{actor}" }, escape: "html" });
  await write(out, ['{"actor":"<!channel> & \\u003cu\\u003e"}']);
  expect(fake.entries).toEqual(['{"text":"<b>&lt;!channel&gt; &amp; &lt;u&gt;"}']);
});

test("an incident service is told by the record's id what is the same incident", async () => {
  const fake = await start();
  const payload = { summary: "{event}", source: "{host}", severity: "warning" };
  const template = { routing_key: "R", event_action: "trigger", dedup_key: "{record_id}", payload };
  const out = await output({ url: `${fake.url}/v2/enqueue`, body: "single", template });
  fake.script({ status: 202, text: '{"status":"success"}' });
  await write(out, ['{"event":"a"}', '{"event":"b","record_id":"own"}', '{"event":"c","record_id":"own"}']);
  const sent = fake.requests.map(({ body }) => JSON.parse(body.toString()) as typeof template);
  const keys = sent.map(({ dedup_key }) => dedup_key);
  expect(keys).toEqual(Array(3).fill(expect.stringMatching(/^A{22}-\d+$/)));
  expect(new Set(keys).size).toBe(3);
  expect(sent[0]!.payload).toEqual({ summary: "a", source: "", severity: "warning" });
});

test("writes at once share the rate, and leave the rest for later", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, body: "single", rate: 0.1 });
  const results = await Promise.all([write(out, ["{}", "{}"]), write(out, ["{}", "{}"])]);
  expect(results.flatMap(({ failed }) => [...failed!.values()].map(({ action }) => action))).toEqual(
    Array.from({ length: 3 }, () => "later"),
  );
  expect(results.every(({ pauseMs }) => pauseMs! > 1_000)).toBe(true);
  expect(fake.entries).toHaveLength(1);
});

test("refusals of single requests are the entries' own fault only where another was taken", async () => {
  const fake = await start({ refuse: "bad" });
  fake.fail("refused");
  const out = await output({ url: fake.url, body: "single" });
  const bad = ['"bad"', '"bad"'];
  expect(await write(out, bad)).toEqual({ refused: "HTTP 400: bad entry" });
  const mixed = await write(out, [...bad, "{}", ...bad]);
  expect([...mixed.failed!].map(([at, { action }]) => [at, action])).toEqual([0, 1, 3, 4].map((at) => [at, "reject"]));
  // Nothing was taken before the outage: nothing is known of the first either.
  fake.script({ status: 400 }, { status: 503 });
  const outage = await write(out, ["{}", "{}", "{}"]);
  expect([...outage.failed!.values()].map(({ action }) => action)).toEqual(["retry", "retry", "retry"]);
  fake.script({ status: 400 }, { status: 401 });
  expect(await write(out, ["{}", "{}"])).toEqual({ blocked: expect.stringContaining("401") });
});

test("what the configuration says of a status goes before what is usual, and again before refused", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, retry_on: [400, 404], refuse_on: [400, 500] });
  const answered = (status: number) => {
    fake.script({ status });
    return write(out, ["{}"]);
  };
  for (const status of [400, 404])
    expect(await answered(status)).toMatchObject({ failed: new Map([[0, { action: "retry" }]]) });
  expect(await answered(500)).toEqual({ refused: "HTTP 500" });
  expect(await answered(502)).toHaveProperty("failed");
  expect(await answered(422)).toEqual({ blocked: "HTTP 422" });
});

test.each([200, 201, 202, 204, 207])("HTTP %d is stored", async (status) => {
  const fake = await start();
  fake.script({ status });
  expect(await write(await output({ url: fake.url }), ["{}"])).toEqual({});
});

test("the pause is as long as the server asks for, in seconds or until a date", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  fake.script({ status: 429, headers: { "retry-after": "12" } });
  expect((await write(out, ["{}"])).pauseMs).toBe(12_000);
  fake.script({ status: 503, headers: { "retry-after": new Date(Date.now() + 3_000_000).toUTCString() } });
  const { pauseMs } = await write(out, ["{}"]);
  expect(pauseMs).toBeGreaterThan(2_900_000);
  expect(pauseMs).toBeLessThanOrEqual(3_000_000);
});

test("a redirect is not followed: no credentials go to another host", async () => {
  const [fake, other] = [await start(), await start()];
  fake.script({ status: 308, headers: { location: other.url } });
  expect(await write(await output({ url: fake.url, bearer: "b" }), ["{}"])).toEqual({ blocked: "HTTP 308" });
  expect(other.requests).toEqual([]);
});

test("lists and lines have no empty ones, no matter how the batches are cut", async () => {
  const fake = await start();
  const cut = [[], ['{"n":1}'], [], ['{"n":2}', '{"n":3}'], []];
  for (const [body, expected] of [
    ["json_array", '[{"n":1},{"n":2},{"n":3}]'],
    ["ndjson", '{"n":1}\n{"n":2}\n{"n":3}\n'],
  ]) {
    const out = await output({ url: fake.url, body });
    await out.write(
      cut.map((lines) => batchOf(lines)),
      { id: "p", repeat: false },
      AbortSignal.timeout(10_000),
    );
    expect(fake.requests.at(-1)!.body.toString()).toBe(expected);
    expect(await write(out, [])).toEqual({});
  }
  expect(fake.requests).toHaveLength(2);
});

test("a header that no request may carry is named, without its value", async () => {
  const fake = await start();
  const error = await write(await output({ url: fake.url, headers: { "X-Key": "s3cr3t\nx: y" } }), ["{}"]).catch(
    String,
  );
  expect(error).toContain('header content ["x-key"]: its value holds what no header may');
  expect(error).not.toContain("s3cr3t");
});

// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks and /apis/web-api/rate-limits
test.each([
  [{ status: 200, text: "ok" }, {}],
  [{ status: 400, text: "invalid_payload" }, { refused: "HTTP 400: invalid_payload" }],
  [{ status: 403, text: "action_prohibited" }, { blocked: "HTTP 403: action_prohibited (check the credentials)" }],
  [{ status: 404, text: "channel_not_found" }, { blocked: "HTTP 404: channel_not_found (check `url`)" }],
  [{ status: 410, text: "channel_is_archived" }, { blocked: "HTTP 410: channel_is_archived" }],
  [
    { status: 429, text: "rate_limited", headers: { "retry-after": "30" } },
    { failed: new Map([[0, { action: "retry", reason: "HTTP 429: rate_limited" }]]), pauseMs: 30_000 },
  ],
  [
    { status: 500, text: "rollup_error" },
    { failed: new Map([[0, { action: "retry", reason: "HTTP 500: rollup_error" }]]) },
  ],
])("a chat that answers %j", async (answer, result) => {
  const fake = await start();
  fake.script(answer);
  expect(await write(await output({ url: fake.url, body: "single", template: { text: "{event}" } }), ["{}"])).toEqual(
    result,
  );
});

// https://docs.datadoghq.com/api/latest/logs/#send-logs
test.each([
  [202, "stored"],
  [400, "refused"],
  [401, "blocked"],
  [403, "blocked"],
  [408, "failed"],
  [413, "refused"],
  [429, "failed"],
  [500, "failed"],
  [503, "failed"],
])("Datadog's %d is %s", async (status, outcome) => {
  const fake = await start();
  fake.script({ status });
  const result = await write(await output({ url: fake.url, body: "json_array" }), ["{}"]);
  expect(Object.keys(result)).toEqual(outcome === "stored" ? [] : [outcome]);
});

test("a body's memory is used again when all of it went out, and only then", async () => {
  const fake = await start();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.pause();
      socket.write("HTTP/1.1 429 Slow\r\nContent-Length: 2\r\n\r\nno");
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  const early = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** Whether a write's memory is free behind it. */
  const used = async (url: string, compression: string) => {
    let memory = bodyPool.take();
    while (memory.buffer.length > 0) memory = bodyPool.take();
    // Large enough: what has to grow too far is never used again.
    memory.ensure(16 * 1024 * 1024);
    bodyPool.give(memory);
    await write(await output({ url, compression }), entries(8_000, 0, "x".repeat(1_500)));
    return bodyPool.take() === memory;
  };
  expect(await used(fake.url, "none")).toBe(true);
  expect(await used(early, "none")).toBe(false);
  // Its memory is the compressor's, which has read all of it.
  expect(await used(early, "gzip")).toBe(true);
});
