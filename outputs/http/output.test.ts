import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import { FakeSink, type FakeSinkOptions } from "../../test/fakes/http-sink.ts";
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

test("a webhook gets one document an entry, its texts escaped, no faster than allowed", async () => {
  const fake = await start();
  const template = { text: "{event} by {actor}: {details}{absent}", blocks: [{ n: 1 }, {}] };
  const out = await output({ url: `${fake.url}/hook/?token=t`, body: "single", template, rate: 100 });
  const lines = ['{"event":"a \\"b\\"\\n","actor":"Zo\\u00eb","details":{"x":[1]}}', "no JSON", '{"event":"c"}'];
  expect(await write(out, lines)).toEqual({});
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
  expect([...failed!].map(([i, { reason }]) => [i, reason])).toEqual([
    [1, "the rate is limited"],
    [2, "the rate is limited"],
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

test("what makes no sense is refused", () => {
  const errors = (options: object) =>
    checkOptions(httpOptions.parse({ url: "https://h/", ...options })).errors.map(({ path }) => path.join("."));
  expect(errors({})).toEqual([]);
  expect(errors({ url: "https://u:p@h/?a=b" })).toEqual(["url.0"]);
  expect(errors({ template: {} })).toEqual(["template"]);
  expect(errors({ rate: 1 })).toEqual(["rate"]);
  expect(errors({ headers: { Host: "x" } })).toEqual(["headers"]);
  expect(errors({ username: "u" })).toEqual(["password"]);
  expect(errors({ format: "original", body: "json_array" })).toEqual(["format"]);
});
