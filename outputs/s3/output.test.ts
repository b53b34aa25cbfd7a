import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { batchOf, entries } from "../../test/contract/records.ts";
import { seeded } from "../../test/fakes/random.ts";
import { s3Output as output, startS3 as start, writeS3 as write } from "../../test/fakes/s3-output.ts";

const lines = entries(20);
const batch = batchOf(lines, { offset: 0, tag: "audit.dashboard" });

test("an object says what it is: key, type, plan, hash of the content; the lock counts from the upload", async () => {
  const fake = await start();
  const out = await output(fake, {
    s3_key_format: "/logs/$TAG[1]/%Y/%m/%d/%H-$RANGE.jsonl",
    server_side_encryption: "aws:kms",
    kms_key_id: "key-1",
    storage_class: "STANDARD_IA",
    acl: "bucket-owner-full-control",
    tags: { team: "a b+ü" },
    object_lock: { mode: "compliance", preset: "hipaa", legal_hold: true },
  });
  expect(await write(out, batch)).toEqual({});
  const [object] = fake.objects;
  expect(object!.key).toBe(`logs/dashboard/2026/02/01/10-host-1-${batch.id(0)}-${batch.id(19)}.jsonl.gz`);
  const content = `${lines.join("\n")}\n`;
  expect(gunzipSync(object!.body).toString()).toBe(content);
  expect(object!.headers).toMatchObject({
    "content-type": "application/gzip",
    "x-amz-meta-audit-plan": "7.0-7.9-x",
    "x-amz-meta-audit-records": "20",
    "x-amz-meta-audit-sha256": createHash("sha256").update(content).digest("hex"),
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-aws-kms-key-id": "key-1",
    "x-amz-storage-class": "STANDARD_IA",
    "x-amz-acl": "bucket-owner-full-control",
    "x-amz-tagging": "team=a%20b%2B%C3%BC",
    "x-amz-object-lock-mode": "COMPLIANCE",
    "x-amz-object-lock-retain-until-date": "2032-02-02T00:00:00Z",
    "x-amz-object-lock-legal-hold": "ON",
  });
});

describe("the same object again", () => {
  test("a repeat finds it by its content, without an upload", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    fake.requests.length = 0;
    expect(await write(out, batch, { repeat: true })).toEqual({ repeated: 20 });
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("stored, but nobody said so", async () => {
    const fake = await start();
    const out = await output(fake);
    fake.fail("silent");
    await expect(write(out, batch)).rejects.toThrow(/closed/);
    fake.heal();
    expect(await write(out, batch, { repeat: true })).toEqual({ repeated: 20 });
    expect(fake.objects).toHaveLength(1);
  });

  test("made by a plan of another name it is known by its content", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    expect(await write(out, batch, { id: "8.0-8.9-x" })).toEqual({ repeated: 20 });
    expect(fake.objects).toHaveLength(1);
    expect(out.events).toEqual([]);
  });

  test.each([false, true])(
    "a plan of the same name in another data directory is no proof (repeat: %s)",
    async (repeat) => {
      const fake = await start();
      const out = await output(fake);
      const between = batch.select(Uint32Array.of(0, 19), 2);
      await write(out, between);
      expect(await write(out, batch, { repeat })).toEqual({});
      expect(fake.lines()).toHaveLength(22);
      expect(out.events).toMatchObject([{ is: "key_conflict" }]);
    },
  );

  test("other content under the key: the next name, an event, and the same again after a crash", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    const { key } = fake.objects.pop()!;
    fake.put(key, Buffer.from("somebody else's"));
    expect(await write(out, batch, { repeat: true })).toEqual({});
    const next = key.replace(".jsonl.gz", "-1.jsonl.gz");
    expect(fake.objects.map((object) => object.key)).toEqual([key, next]);
    expect(out.events).toEqual([{ is: "key_conflict", output: "s3", key, next }]);
    expect(await write(out, batch, { repeat: true })).toEqual({ repeated: 20 });
    expect(fake.objects).toHaveLength(2);
  });
});

describe("large objects", () => {
  const next = seeded(7);
  const noise = () => Array.from({ length: 1_000 }, () => Math.floor(next() * 36).toString(36)).join("");
  const large = batchOf(
    Array.from({ length: 12_000 }, (_, n) => `{"timestamp":"2026-02-01T10:00:00Z","n":${n},"x":"${noise()}"}`),
  );
  const options = { compression: "none", part_size: "5MiB" };

  test("go up in parts, with the same name and the same marks", async () => {
    const fake = await start();
    const out = await output(fake, options);
    expect(await write(out, large)).toEqual({});
    const [object] = fake.objects;
    expect(object!.parts).toBe(3);
    expect(object!.headers["x-amz-meta-audit-sha256"]).toBe(createHash("sha256").update(object!.body).digest("hex"));
    expect(fake.lines()).toHaveLength(12_000);
    expect(fake.uploads.size).toBe(0);
    expect(await write(out, large, { id: "other" })).toEqual({ repeated: 12_000 });
    expect(fake.uploads.size).toBe(0);
  });

  test("what failed half-way is given up, and made whole later", async () => {
    const fake = await start();
    const out = await output(fake, options);
    fake.fail("part_fails");
    await expect(write(out, large)).rejects.toThrow("again");
    expect(fake.uploads.size).toBe(0);
    expect(fake.objects).toEqual([]);
    fake.heal();
    expect(await write(out, large, { repeat: true })).toEqual({});
    expect(fake.lines()).toHaveLength(12_000);
  });
});

test("entries are parted by tag and by the hour or the day of their own time, in the zone", async () => {
  const fake = await start();
  const at = (time: string, tag = "t") => batchOf([`{"timestamp":"${time}"}`], { tag });
  const daily = await output(fake, { s3_key_format: "%Y/%m/%d/x-$RANGE", time_zone: "Europe/Berlin" });
  const same = daily.partition(at("2026-02-01T23:30:00+01:00"), 0);
  expect(daily.partition(at("2026-02-01T00:10:00+01:00"), 0)).toBe(same);
  expect(daily.partition(at("2026-02-01T23:30:00Z"), 0)).not.toBe(same);
  expect(daily.partition(at("2026-02-01T23:30:00+01:00", "u"), 0)).not.toBe(same);
  const hourly = await output(fake, { s3_key_format: "%Y/%m/%d/%H/%M/x-$RANGE" });
  expect(hourly.partition(at("2026-02-01T10:59:00Z"), 0)).toBe(hourly.partition(at("2026-02-01T10:00:00Z"), 0));
  expect(hourly.partition(at("2026-02-01T11:00:00Z"), 0)).not.toBe(hourly.partition(at("2026-02-01T10:00:00Z"), 0));
  const unstamped = (readTime: number) => batchOf(['{"n":1}'], { tag: "t", readTime });
  expect(daily.partition(unstamped(Date.parse("2026-02-01T12:00:00Z")), 0)).toBe(same);
  expect(daily.partition(unstamped(Date.parse("2026-02-01T23:30:00Z")), 0)).not.toBe(same);
  const timeless = await output(fake, { s3_key_format: "x/$RANGE" });
  expect(timeless.partition(at("2025-02-01T11:00:00Z"), 0)).toBe(timeless.partition(at("2026-02-01T10:00:00Z"), 0));
});
