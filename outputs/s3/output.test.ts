import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { ObjectOutput, ObjectPlan, WriteResult } from "../../agent/api/output.ts";
import type { ObjectOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import { seeded } from "../../test/fakes/random.ts";
import { FakeS3 } from "../../test/fakes/s3.ts";
import definition from "./index.ts";
import { besides, keyProblems, keyTemplate } from "./key.ts";

const closing: (() => unknown)[] = [];
const events: AgentEvent[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  events.length = 0;
});

const NOW = Date.UTC(2026, 1, 1);

async function start(): Promise<FakeS3> {
  const fake = await FakeS3.start("archive");
  closing.push(() => fake.stop());
  return fake;
}

async function output(fake: FakeS3, options: Record<string, unknown> = {}): Promise<ObjectOutput> {
  const parsed = definition.options.parse({
    ...{ bucket: "archive", endpoint: fake.url, force_path_style: true, access_key_id: "a", secret_access_key: "b" },
    ...options,
  });
  const made = await (definition as ObjectOutputDefinition).create(parsed, {
    alias: "s3",
    node: "host-1",
    version: "0",
    clock: { now: () => NOW, monotonic: () => 0 },
    fields: new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]),
    emit: (event) => void events.push(event),
  });
  closing.push(() => made.close());
  return made;
}

const planOf = (batch: RecordBatch, id = "7.0-7.9-x"): Omit<ObjectPlan, "repeat"> => ({
  id,
  partition: "p",
  first: batch.id(0),
  last: batch.id(batch.count - 1),
  records: batch.count,
  note: "",
});

const write = (out: ObjectOutput, batch: RecordBatch, repeat = false, id?: string): Promise<WriteResult> => {
  const batches = {
    async *[Symbol.asyncIterator]() {
      yield batch;
    },
  };
  return out.writeObject(batches, { ...planOf(batch, id), repeat }, new AbortController().signal);
};

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
    tags: { team: "a b" },
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
    "x-amz-tagging": "team=a+b",
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
    expect(await write(out, batch, true)).toEqual({ repeated: 20 });
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  test("stored, but nobody said so", async () => {
    const fake = await start();
    const out = await output(fake);
    fake.fail("silent");
    await expect(write(out, batch)).rejects.toThrow(/closed/);
    fake.heal();
    expect(await write(out, batch, true)).toEqual({ repeated: 20 });
    expect(fake.objects).toHaveLength(1);
  });

  test("made by a plan of another name it is known by its content", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    expect(await write(out, batch, false, "8.0-8.9-x")).toEqual({ repeated: 20 });
    expect(fake.objects).toHaveLength(1);
    expect(events).toEqual([]);
  });

  test.each([false, true])(
    "a plan of the same name in another data directory is no proof (repeat: %s)",
    async (repeat) => {
      const fake = await start();
      const out = await output(fake);
      const between = batch.select(Uint32Array.of(0, 19), 2);
      await write(out, between);
      expect(await write(out, batch, repeat)).toEqual({});
      expect(fake.lines()).toHaveLength(22);
      expect(events).toMatchObject([{ is: "key_conflict" }]);
    },
  );

  test("other content under the key: the next name, an event, and the same again after a crash", async () => {
    const fake = await start();
    const out = await output(fake);
    await write(out, batch);
    const { key } = fake.objects.pop()!;
    fake.put(key, Buffer.from("somebody else's"));
    expect(await write(out, batch, true)).toEqual({});
    const next = key.replace(".jsonl.gz", "-1.jsonl.gz");
    expect(fake.objects.map((object) => object.key)).toEqual([key, next]);
    expect(events).toEqual([{ is: "key_conflict", output: "s3", key, next }]);
    expect(await write(out, batch, true)).toEqual({ repeated: 20 });
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
    expect(await write(out, large, false, "other")).toEqual({ repeated: 12_000 });
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
    expect(await write(out, large, true)).toEqual({});
    expect(fake.lines()).toHaveLength(12_000);
  });
});

test("what only an operator can mend waits, and says so", async () => {
  const fake = await start();
  fake.fail("denied");
  const out = await output(fake);
  expect(await write(out, batch)).toEqual({ blocked: expect.stringContaining("Access Denied") });
  await expect(out.probe(new AbortController().signal)).rejects.toThrow("bucket archive: ");
  fake.heal();
  expect(await write(await output(fake, { bucket: "other" }), batch)).toEqual({
    blocked: expect.stringContaining("NoSuchBucket"),
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
  const timeless = await output(fake, { s3_key_format: "x/$RANGE" });
  expect(timeless.partition(at("2025-02-01T11:00:00Z"), 0)).toBe(timeless.partition(at("2026-02-01T10:00:00Z"), 0));
});

test.each([
  ["a/%Y/$TAG.jsonl", "none", "a/2026/audit.x-n-F-L.jsonl"],
  ["a/$TAG", "gzip", "a/audit.x-n-F-L.gz"],
  ["/$INDEX/$TAG[0]/$TAG[9]$FIRST_$LAST.gz", "gzip", "7/audit/F_L.gz"],
  ["v1.2/$NODE/%H%M%S-$RANGE.tar", "zstd", "v1.2/n/110405-n-F-L.tar.zst"],
] as const)("key of %s", (format, compression, key) => {
  const template = keyTemplate({ format, compression, zone: "Europe/Berlin", delimiters: "." });
  const ms = Date.UTC(2026, 1, 1, 10, 4, 5);
  expect(template.render({ tag: "audit.x", node: "n", ms, first: "F", last: "L", plan: "7.3-9.1" })).toBe(key);
});

test("names beside others, formats that make no sense", () => {
  expect(besides("a.b/c.jsonl.gz", 1)).toBe("a.b/c-1.jsonl.gz");
  expect(besides("a/c-1.2", 2)).toBe("a/c-1.2-2");
  expect(keyProblems("x/$RANGE")).toEqual({});
  expect(keyProblems("x/%Y").warning).toContain("record range");
  expect(keyProblems("x/$UUID").error).toContain("$RANGE");
  expect(keyProblems("x/$TAGS").error).toContain("$TAGS is unknown");
  expect(keyProblems("x/%Q").error).toContain("%Q");
});
