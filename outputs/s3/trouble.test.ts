/** What is not as it should be: rights, credentials, clocks, regions, proxies, other agents. */
import { describe, expect, test, vi } from "vitest";
import { batchOf, entries } from "../../test/contract/records.ts";
import { s3Output as output, startS3 as start, writeS3 as write } from "../../test/fakes/s3-output.ts";

const batch = batchOf(entries(20));
const large = batchOf(entries(2_000, 0, "x".repeat(6_000)));
const IN_PARTS = { compression: "none", part_size: "5MiB" };
const REPEAT = { repeat: true };
const probe = (out: { probe(signal: AbortSignal): Promise<void> }) => out.probe(new AbortController().signal);

describe("only an operator can mend it: it waits, and says so", () => {
  test.each([
    ["denied", "AccessDenied: Access Denied"],
    ["elsewhere", "it is in another region: set `region: eu-west-1`"],
    ["skewed", expect.stringContaining("the clock of this host differs")],
  ] as const)("%s", async (mode, blocked) => {
    const fake = await start();
    fake.fail(mode);
    const out = await output(fake);
    await expect(probe(out)).rejects.toThrow(/^bucket archive: /);
    const fresh = await output(fake);
    expect(await write(fresh, batch)).toEqual({ blocked });
    fake.heal();
    expect(await write(fresh, batch, REPEAT)).toEqual({});
    expect(fake.lines()).toHaveLength(20);
  });

  test("no bucket of that name", async () => {
    const out = await output(await start(), { bucket: "other" });
    const said = "NoSuchBucket: The specified bucket does not exist";
    expect(await write(out, batch)).toEqual({ blocked: said });
    expect(await write(out, batch, REPEAT)).toEqual({ blocked: said });
    await expect(probe(out)).rejects.toThrow(`bucket other: ${said}`);
  });

  test("an access key the service does not know", async () => {
    const fake = await start();
    fake.refusedKeys.set("a", "InvalidAccessKeyId");
    const out = await output(fake);
    const blocked = "InvalidAccessKeyId: the access key is unknown to the service";
    expect(await write(out, batch, REPEAT)).toEqual({ blocked });
    await expect(probe(out)).rejects.toThrow(blocked);
  });
});

describe("with no more rights than a writer needs", () => {
  test("without s3:ListBucket a repeat that finds nothing is uploaded, and one that finds it is known", async () => {
    const fake = await start();
    fake.withheld.add("s3:ListBucket").add("s3:ListBucketMultipartUploads");
    const out = await output(fake);
    await probe(out);
    expect(await write(out, batch, REPEAT)).toEqual({});
    expect(await write(out, batch, REPEAT)).toEqual({ repeated: 20 });
    const inParts = await output(fake, IN_PARTS);
    expect(await write(inParts, large, REPEAT)).toEqual({});
    expect(await write(inParts, large)).toEqual({ repeated: 2_000 });
    expect(fake.lines()).toHaveLength(2_020);
    expect(fake.uploads.size).toBe(0);
  });

  test("without s3:GetObject what is there cannot be told, and that is said", async () => {
    const fake = await start();
    fake.withheld.add("s3:GetObject");
    const out = await output(fake);
    expect(await write(out, batch)).toEqual({});
    expect(await write(out, batch, REPEAT)).toEqual({ blocked: expect.stringContaining("s3:GetObject is needed") });
    expect(fake.objects).toHaveLength(1);
  });
});

describe("the probe", () => {
  test("is an upload that is given up: with all that goes with one, and nothing is left", async () => {
    const fake = await start();
    const tags = { team: "security" };
    const out = await output(fake, { server_side_encryption: "aws:kms", tags, object_lock: { retain_days: 1 } });
    await probe(out);
    const begun = fake.requests.find(({ query }) => query.has("uploads"))!;
    expect(begun.path).toMatch(/^\/archive\/audit\/audit-agent-probe\/2026\/02\/01\//);
    expect(begun.headers).toMatchObject({
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-tagging": "team=security",
      "x-amz-object-lock-mode": "GOVERNANCE",
    });
    expect([fake.objects, fake.uploads.size]).toEqual([[], 0]);
  });

  test("finds out that a bucket has no Object Lock", async () => {
    const fake = await start();
    fake.lockable = false;
    await probe(await output(fake));
    const out = await output(fake, { object_lock: { retain_days: 1 } });
    await expect(probe(out)).rejects.toThrow(
      "bucket archive: ObjectLockConfigurationNotFoundError: Object Lock is not",
    );
    expect(await write(out, batch)).toEqual({ blocked: expect.stringContaining("missing Object Lock") });
  });
});

describe("others", () => {
  test("found taken, and gone at the second look: tried again, not put beside it", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    fake.shy = true;
    await expect(write(out, batch)).rejects.toThrow("was there a moment ago");
    fake.shy = false;
    expect(await write(out, batch, REPEAT)).toEqual({ repeated: 20 });
    expect([fake.objects.length, out.events]).toEqual([1, []]);
  });

  test("somebody else at the same moment (409): again", async () => {
    const fake = await start();
    const text = "<Error><Code>ConditionalRequestConflict</Code><Message>conflicting</Message></Error>";
    fake.script({ status: 409, text });
    const out = await output(fake);
    await expect(write(out, batch)).rejects.toThrow("ConditionalRequestConflict");
    expect(await write(out, batch, REPEAT)).toEqual({});
  });

  test("a page with status 200 stores nothing, whoever serves it", async () => {
    const fake = await start();
    const out = await output(fake);
    fake.fail("portal");
    await expect(write(out, batch)).rejects.toThrow("is there a proxy in between?");
    await expect(write(await output(fake, IN_PARTS), large)).rejects.toThrow(/proxy|aborted/);
    await expect(probe(out)).rejects.toThrow("is there a proxy in between?");
    fake.heal();
    expect(await write(out, batch, REPEAT)).toEqual({});
    expect(fake.lines()).toHaveLength(20);
  });
});

describe("uploads in parts", () => {
  test.each([
    ["a part that fails", "part_fails", "again"],
    ["a completion that fails after its status 200", "complete_fails", "internal error"],
  ] as const)("%s: nothing is left, and it is made whole later", async (_, mode, said) => {
    const fake = await start();
    const out = await output(fake, IN_PARTS);
    fake.fail(mode);
    await expect(write(out, large)).rejects.toThrow(said);
    expect([fake.objects, fake.uploads.size]).toEqual([[], 0]);
    fake.heal();
    expect(await write(out, large, REPEAT)).toEqual({});
    expect(fake.lines()).toHaveLength(2_000);
  });

  test("what a killed agent had uploaded is given up by the next, and nobody else's", async () => {
    const fake = await start();
    const out = await output(fake, IN_PARTS);
    await write(out, large);
    const { key } = fake.objects.pop()!;
    fake.uploads.set("of-the-killed", { key, headers: {}, parts: new Map() });
    fake.uploads.set("of-another", { key: `${key}.other`, headers: {}, parts: new Map() });
    expect(await write(out, large, REPEAT)).toEqual({});
    expect([...fake.uploads.keys()]).toEqual(["of-another"]);
    expect(fake.lines()).toHaveLength(2_000);
  });

  test("stopped in the middle it is given up before the connections are", async () => {
    const fake = await start();
    const out = await output(fake, IN_PARTS);
    fake.fail("part_hangs");
    const stop = new AbortController();
    const ended = expect(write(out, large, { signal: stop.signal })).rejects.toThrow();
    await vi.waitUntil(() => fake.requests.some(({ query }) => query.get("partNumber") === "2"), { timeout: 10_000 });
    stop.abort();
    await out.close();
    expect(fake.uploads.size).toBe(0);
    await ended;
  });

  test("each part and each object carries its SHA-256", async () => {
    const fake = await start();
    await write(await output(fake, IN_PARTS), large);
    await write(await output(fake), batch);
    const puts = fake.requests.filter(({ method }) => method === "PUT");
    expect(puts).toHaveLength(4);
    for (const { headers } of puts) expect(headers["x-amz-checksum-sha256"]).toMatch(/^[\w+/]{43}=$/);
  });
});

test("the records of an object are read and compressed once, however often it is tried", async () => {
  const fake = await start();
  const out = await output(fake);
  let ends = 0;
  const batches = {
    async *[Symbol.asyncIterator]() {
      yield batch;
      ends++;
    },
  };
  const plan = { id: "p", partition: "p", first: batch.id(0), last: batch.id(19), records: 20, note: "", repeat: true };
  const attempt = () => out.writeObject(batches, plan, new AbortController().signal);
  fake.fail("unavailable");
  for (let n = 0; n < 3; n++) await expect(attempt()).rejects.toThrow();
  fake.heal();
  expect(await attempt()).toEqual({});
  expect([fake.lines().length, ends]).toEqual([20, 1]);
});

test("a lock is counted from the service's clock, where the host's is wrong", async () => {
  const fake = await start();
  const out = await output(fake, { object_lock: { retain_days: 1 } });
  fake.fail("skewed");
  expect(await write(out, batch)).toMatchObject({ blocked: expect.stringContaining("clock") });
  fake.heal();
  await write(out, batch);
  const until = Date.parse(fake.objects[0]!.headers["x-amz-object-lock-retain-until-date"]!);
  // The test's own clock stands still; the service is a day ahead of the SDK's.
  expect(Math.round((until - Date.UTC(2026, 1, 1)) / 3_600_000)).toBe(48);
});

test("throttled, it takes no room for each record of a large object", async () => {
  const fake = await start();
  fake.fail("throttled");
  const { failed, pauseMs } = await write(await output(fake), batch);
  expect([[...failed!], pauseMs]).toEqual([
    [[0, { action: "retry", reason: expect.stringContaining("SlowDown") }]],
    3_000,
  ]);
});

test("tags that differ only after many characters have objects of their own", async () => {
  const out = await output(await start());
  const of = (tag: string) => out.partition(batchOf(entries(1), { tag }), 0);
  const long = "t".repeat(300);
  expect(of(`${long}a`)).not.toBe(of(`${long}b`));
  expect(of(`${long}a`)).toBe(of(`${long}a`));
  expect(Buffer.byteLength(of("€".repeat(400)))).toBeLessThanOrEqual(512);
});
