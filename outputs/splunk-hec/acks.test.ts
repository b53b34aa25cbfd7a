/** Delivered means indexed: whatever becomes of acknowledgements, of collectors, and of what is between. */
import { afterEach, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { FakeSplunk, type FakeSplunkOptions } from "../../test/fakes/splunk.ts";
import { splunkOutput, writeLines as write } from "../../test/fakes/splunk-output.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(options: Partial<FakeSplunkOptions> = {}): Promise<FakeSplunk> {
  const fake = await FakeSplunk.start({ token: "t", acknowledgement: true, ...options });
  closing.push(() => fake.stop());
  return fake;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const made = await splunkOutput({ acknowledge: true, ack_interval: "10ms", ack_timeout: "20s", ...options });
  closing.push(() => made.close());
  return made;
}

const isAck = ({ path }: { path: string }) => path.endsWith("/ack");
const questions = (fake: FakeSplunk) => fake.requests.filter(isAck);
const channels = (fake: FakeSplunk) => [
  ...new Set(fake.requests.filter((r) => !isAck(r)).map(({ headers }) => headers["x-splunk-request-channel"])),
];

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

test("acknowledgements come in any order: what is indexed is delivered, whatever else waits", async () => {
  const fake = await start();
  fake.hold.add(0);
  const out = await output({ url: fake.url });
  let first = "waiting";
  const slow = write(out, ['{"n":0}']).then(() => (first = "delivered"));
  await expect.poll(() => questions(fake).length).toBeGreaterThan(0);
  expect(await Promise.all([write(out, ['{"n":1}']), write(out, ['{"n":2}'])])).toEqual([{}, {}]);
  expect(first).toBe("waiting");
  fake.hold.clear();
  await slow;
});

test("ids that a restarted collector gives again are no acknowledgements of what it lost", async () => {
  const fake = await start();
  fake.hold.add(0);
  const out = await output({ url: fake.url });
  const lost = write(out, ['{"n":0}']).then(
    () => "delivered",
    (error: Error) => error.message,
  );
  await expect.poll(() => questions(fake).length).toBeGreaterThan(0);
  // It goes and comes between two questions, and takes what it had not indexed with it.
  fake.crash();
  fake.hold.clear();
  // In doubt this one is sent again, too.
  await write(out, ['{"n":1}']).catch(() => write(out, ['{"n":1}']));
  expect(await lost).toContain("began to count acknowledgements anew");
  expect(channels(fake)).toHaveLength(2);
  expect(await write(out, ['{"n":0}'])).toEqual({});
  expect(new Set(fake.events.map(({ text }) => text))).toEqual(new Set(['{"n":0}', '{"n":1}']));
});

test.each(["a request that fails", "a question that fails"])(
  "after %s the next have a channel of their own",
  async (what) => {
    const fake = await start();
    const out = await output({ url: fake.url });
    expect(await write(out, ["{}"])).toEqual({});
    if (what === "a request that fails") {
      fake.fail("drop");
      await expect(write(out, ["{}"])).rejects.toThrow("closed");
      fake.heal();
    } else {
      fake.ackAnswers.push({ status: 502, text: "bad gateway" });
      expect(await write(out, ["{}"])).toEqual({});
    }
    expect(await write(out, ["{}"])).toEqual({});
    expect(channels(fake)).toHaveLength(2);
    // Nothing went wrong since.
    expect(await write(out, ["{}"])).toEqual({});
    expect(channels(fake)).toHaveLength(2);
  },
);

test("behind a load balancer with sticky sessions each question goes to the collector that took the entries", async () => {
  const fake = await start({ collectors: 3, sticky: true, ackAfter: 2 });
  const out = await output({ url: fake.url });
  const writes = Array.from({ length: 12 }, (_, n) => write(out, [`{"n":${n}}`]));
  expect(await Promise.all(writes)).toEqual(Array.from({ length: 12 }, () => ({})));
  expect(fake.events).toHaveLength(12);
  // Entries go on being spread.
  expect(fake.requests.filter((request) => !isAck(request)).every(({ headers }) => headers.cookie === undefined)).toBe(
    true,
  );
  expect(new Set(questions(fake).map(({ headers }) => headers.cookie)).size).toBe(3);
});

test("behind one without, two collectors' equal ids do not stand for one another", async () => {
  const fake = await start({ collectors: 2 });
  fake.hold.add(0);
  const out = await output({ url: fake.url });
  const results = await Promise.allSettled([write(out, ['{"n":0}']), write(out, ['{"n":1}'])]);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect((results[0] as PromiseRejectedResult).reason.message).toContain("sticky sessions");
});

test("a collector that hangs holds up no acknowledgement of another", async () => {
  const [hanging, well] = [await start(), await start()];
  hanging.hangAcks = true;
  const out = await output({ url: [hanging.url, well.url] });
  const stop = new AbortController();
  const stuck = write(out, ['{"n":0}'], stop.signal).catch((error: Error) => error.message);
  await expect.poll(() => questions(hanging).length).toBe(1);
  expect(await write(out, ['{"n":1}'])).toEqual({});
  stop.abort(new Error("enough"));
  expect(await stuck).toBe("enough");
});

test.each([
  [{ status: 400, text: '{"text":"ACK is disabled","code":14}' }, "HTTP 400: ACK is disabled, code 14"],
  [{ status: 404, text: "<html>no such page</html>" }, "HTTP 404: no such page"],
  [{ status: 503, text: '{"text":"Server is busy","code":9}' }, "HTTP 503: Server is busy, code 9"],
  [{ status: 200, text: "[]" }, "HTTP 200: []"],
  [{ status: 200, text: '{"acks":null}' }, "HTTP 200"],
])("questions that are answered with %j: it says why nothing was acknowledged", async (answer, said) => {
  const fake = await start();
  const out = await output({ url: fake.url, ack_timeout: "150ms" });
  fake.ackAnswers.push(...Array.from({ length: 1_000 }, () => answer));
  await expect(write(out, ["{}"])).rejects.toThrow(`asked for acknowledgements it answers ${said}`);
  fake.ackAnswers.length = 0;
  expect(await write(out, ["{}"])).toEqual({});
});

test("whoever stops waiting is not asked for any more, and nobody after close", async () => {
  const fake = await start();
  fake.fail("no_acks");
  const out = await output({ url: fake.url });
  for (const id of [0, 1]) {
    const stop = new AbortController();
    const given = write(out, ["{}"], stop.signal).catch((error: Error) => error.message);
    await expect.poll(() => questions(fake).at(-1)?.body.toString()).toBe(`{"acks":[${id}]}`);
    if (id === 1) await out.close();
    stop.abort(new Error("time is up"));
    expect(await given).toBe("time is up");
  }
});

test("probe asks about acknowledgements, too, and finds a token without", async () => {
  const fake = await start();
  await (await output({ url: fake.url })).probe(AbortSignal.timeout(10_000));
  expect(fake.requests[0]!.query.get("ack")).toBe("true");
  const without = await start({ acknowledgement: false });
  await expect((await output({ url: without.url })).probe(AbortSignal.timeout(10_000))).rejects.toThrow(
    "ACK is disabled, code 14 (the token has no indexer acknowledgement",
  );
});
