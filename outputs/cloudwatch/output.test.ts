import { afterEach, describe, expect, test } from "vitest";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeCloudwatch, type FakeCloudwatchOptions } from "../../test/fakes/cloudwatch.ts";
import definition from "./index.ts";
import { MAX_EVENT_BYTES, rejectedOf, requestsOf, retentionFor } from "./limits.ts";
import { nameProblem, nameTemplate } from "./names.ts";
import { checkOptions, cloudwatchOptions } from "./options.ts";

const NOW = Date.UTC(2026, 1, 15, 12);
const HOUR = 3_600_000;
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: FakeCloudwatchOptions = {}): Promise<FakeCloudwatch> {
  const fake = await FakeCloudwatch.start({ now: () => NOW, ...options });
  closing.push(() => fake.stop());
  return fake;
}

async function output(fake: FakeCloudwatch, options: Record<string, unknown> = {}): Promise<Output> {
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1" };
  const parsed = definition.options.parse({ log_group: "g", log_stream: "s", endpoint: fake.url, ...keys, ...options });
  const fields = new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]);
  const clock = { now: () => NOW, monotonic: () => 0 };
  const made = await definition.create(parsed, {
    alias: "c",
    node: "n",
    version: "0",
    clock,
    fields,
    emit: () => undefined,
  });
  closing.push(() => made.close());
  return made;
}

const at = (ms: number, more = "") => `{"timestamp":"${new Date(NOW + ms).toISOString()}"${more}}`;
const write = (out: Output, lines: string[], tag = "t"): Promise<WriteResult> =>
  out.write([batchOf(lines, { tag })], { id: "p", repeat: false }, new AbortController().signal);
const outcome = ({ failed }: WriteResult) => [...(failed ?? [])].map(([i, { action, reason }]) => [i, action, reason]);

test("events go out in order of time, those of one time in their own, requests span no more than a day", async () => {
  const fake = await start();
  const hours = [-50, -1, -30, -1, -49, -2];
  const lines = hours.map((hour, n) => at(hour * HOUR, `,"n":${n}`));
  expect(await write(await output(fake), lines)).toEqual({});
  expect(fake.events.map(({ message }) => (JSON.parse(message) as { n: number }).n)).toEqual([0, 4, 2, 5, 1, 3]);
  expect(fake.puts).toEqual([3, 3]);
});

test("exactly what the service rejects becomes dead letters", async () => {
  const fake = await start();
  const lines = [0, -400, 1, 3, -337, -335].map((hour) => at(hour * HOUR));
  expect(outcome(await write(await output(fake), lines)).sort()).toEqual([
    [1, "reject", "more than 14 days old"],
    [3, "reject", "more than 2 hours ahead of the service's clock"],
    [4, "reject", "more than 14 days old"],
  ]);
  expect(fake.events).toHaveLength(3);
  expect(await write(await output(fake, { out_of_range: "read_time" }), [lines[1]!])).toEqual({});
  expect(fake.events.at(-1)).toMatchObject({ timestamp: NOW, message: lines[1] });
});

test("groups and streams are made on demand; retention only on groups it made", async () => {
  const fake = await start();
  fake.groups.set("/a/theirs", { retention: undefined, streams: new Set() });
  const names = { log_group: "/a/$TAG", log_stream: "$TAG[0]-$NODE-%Y", preset: "hipaa" };
  const out = await output(fake, names);
  await write(out, [at(0)], "ours");
  await write(out, [at(0)], "theirs");
  expect([...fake.groups].map(([name, { retention, streams }]) => [name, retention, [...streams]])).toEqual([
    ["/a/theirs", undefined, ["theirs-n-2026"]],
    ["/a/ours", 2192, ["ours-n-2026"]],
  ]);
  const none = await output(fake, { log_group: "missing", auto_create: false });
  expect(await write(none, [at(0)])).toEqual({ blocked: expect.stringContaining("ResourceNotFoundException") });
});

test("a throttled stream waits, others are stored; what was stored is not sent again", async () => {
  const fake = await start();
  const out = await output(fake, { log_stream: "$TAG" });
  await write(out, [at(0)], "a");
  await write(out, [at(0)], "b");
  const batches = [batchOf([at(0), at(1)], { tag: "a" }), batchOf([at(0), at(1)], { tag: "b" })];
  fake.script({ status: 400, text: JSON.stringify({ __type: "ThrottlingException", message: "Rate exceeded" }) });
  const result = await out.write(batches, { id: "p", repeat: false }, new AbortController().signal);
  expect(outcome(result).map(([i, action]) => [i, action])).toEqual([
    [0, "retry"],
    [1, "retry"],
  ]);
  expect(fake.events.filter(({ stream }) => stream === "b")).toHaveLength(3);
});

test("what only an operator can mend waits", async () => {
  const fake = await start();
  fake.fail("denied");
  const out = await output(fake);
  expect(await write(out, [at(0)])).toEqual({ blocked: expect.stringContaining("not authorized") });
  await expect(out.probe(new AbortController().signal)).rejects.toThrow("not authorized");
});

describe("larger than the service takes", () => {
  const large = at(0, `,"x":"${"é".repeat(600_000)}"`);
  test("a dead letter", async () => {
    const fake = await start();
    expect(outcome(await write(await output(fake), [at(0), large, at(0)]))).toEqual([
      [1, "reject", expect.stringContaining(`${MAX_EVENT_BYTES} bytes`)],
    ]);
    expect(fake.events).toHaveLength(2);
  });
  test("or cut, at the start of a character, with a mark", async () => {
    const fake = await start();
    expect(await write(await output(fake, { too_large: "cut" }), [large, large])).toEqual({});
    for (const { message } of fake.events) {
      expect(message).toMatch(/é \[cut\]$/);
      expect(Buffer.byteLength(message)).toBeGreaterThan(MAX_EVENT_BYTES - 4);
    }
    expect(fake.puts).toEqual([1, 1]);
  });
});

test("requests are cut at 10,000 events and at 1,048,576 bytes with 26 an event", () => {
  const many = Array.from({ length: 10_001 }, () => ({ ms: 0, bytes: 1 }));
  expect(requestsOf(many)).toEqual([
    { from: 0, to: 10_000 },
    { from: 10_000, to: 10_001 },
  ]);
  const half = { ms: 0, bytes: 524_288 - 26 };
  expect(requestsOf([half, half])).toHaveLength(1);
  expect(requestsOf([half, { ms: 0, bytes: half.bytes + 1 }])).toHaveLength(2);
  expect(requestsOf([])).toEqual([]);
});

test.each([
  [{}, []],
  [{ tooOldLogEventEndIndex: 2 }, [0, 1]],
  [{ expiredLogEventEndIndex: 1, tooOldLogEventEndIndex: 2, tooNewLogEventStartIndex: 4 }, [0, 1, 4]],
  [{ tooNewLogEventStartIndex: 0 }, [0, 1, 2, 3, 4]],
])("of five, %j rejects %j", (info, rejected) => {
  expect([...rejectedOf(info, 5).keys()].sort()).toEqual(rejected);
});

test("names hold what the service allows", () => {
  const about = { hostname: "h:1", node: "n" };
  expect(nameTemplate("/x/$TAG[1]/$TAG", "group", about).render("a.b é*", 0)).toBe("/x/b___/a.b___");
  expect(nameTemplate("$HOSTNAME %Y-%m-%d", "stream", about).render("t", 0)).toBe("h_1 1970-01-01");
  expect(nameProblem("a b", "group")).toContain('" "');
  expect(nameProblem("a:b", "stream")).toContain('":"');
  expect(nameProblem("$HOST", "stream")).toContain("$HOST is unknown");
});

test("retention: the next higher number that the service takes, and said", () => {
  expect([1, 2, 366, 1096, 3653, 3654].map(retentionFor)).toEqual([1, 3, 400, 1096, 3653, undefined]);
  const check = (options: object) =>
    checkOptions(cloudwatchOptions.parse({ log_group: "g", ...options })).warnings.map(({ message }) => message);
  expect(check({ retention_days: 100 })).toEqual(["the service does not take 100 days; 120 are used"]);
  expect(check({ retention_days: 90 })).toEqual([]);
});
