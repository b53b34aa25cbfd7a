/** Against a real S3 server: `S3_URL`, `S3_ACCESS_KEY` and `S3_SECRET_KEY` name one (a bucket is made). */
import { createHash } from "node:crypto";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  CreateBucketCommand,
  GetObjectCommand,
  GetObjectRetentionCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, test } from "vitest";
import { runOnce } from "../e2e/harness/agent.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { canRestart, restart, service } from "./services.ts";
import { expectAll, numbered, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const s3 = service("S3 server", ["S3_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"]);

describe.runIf(s3.there)("a real S3 server", () => {
  const { S3_URL: endpoint, S3_ACCESS_KEY: accessKeyId, S3_SECRET_KEY: secretAccessKey } = s3.env;
  const Bucket = `audit-${process.pid}-${Date.now().toString(36)}`;
  const client = s3.there
    ? new S3Client({
        endpoint,
        region: "us-east-1",
        forcePathStyle: true,
        credentials: { accessKeyId, secretAccessKey },
      })
    : (undefined as never);
  const options = (prefix: string, more: object = {}) => ({
    name: "s3",
    bucket: Bucket,
    endpoint,
    region: "us-east-1",
    force_path_style: true,
    access_key_id: accessKeyId,
    secret_access_key: secretAccessKey,
    s3_key_format: `${prefix}/%Y/%m/%d/$RANGE.jsonl`,
    ...more,
  });

  beforeAll(async () => {
    await client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: true }));
  });

  async function objects(prefix: string) {
    const found: { key: string; text: string; metadata: Record<string, string> }[] = [];
    for await (const page of paginateListObjectsV2({ client }, { Bucket, Prefix: `${prefix}/` })) {
      for (const { Key } of page.Contents ?? []) {
        const { Body, Metadata = {} } = await client.send(new GetObjectCommand({ Bucket, Key }));
        const bytes = Buffer.from(await Body!.transformToByteArray());
        const plain = Key!.endsWith(".gz")
          ? gunzipSync(bytes)
          : Key!.endsWith(".zst")
            ? zstdDecompressSync(bytes)
            : bytes;
        found.push({ key: Key!, text: plain.toString("utf8"), metadata: Metadata });
      }
    }
    return found;
  }
  const numbers = async (prefix: string) =>
    (await objects(prefix)).flatMap(({ text }) =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { n: number }).n),
    );

  async function once(output: object, lines: readonly string[]): Promise<void> {
    const workspace = new Workspace();
    const path = await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const pipeline = { inputs: [{ name: "tail", tag: "audit.app", path }], outputs: [{ match: "*", ...output }] };
    await runOnce(
      await workspace.write("p.json", JSON.stringify({ service: { data_dir: workspace.path("data") }, pipeline })),
    );
  }

  test.each(["gzip", "zstd", "none"])(
    "objects hold the lines, byte by byte, and say what they are (%s)",
    async (compression) => {
      const lines = numbered(5_000);
      await once(options(compression, { compression, format: "original" }), lines);
      const [object, ...others] = await objects(compression);
      expect(others).toEqual([]);
      expect(object!.text === `${lines.join("\n")}\n`, "the lines as they were").toBe(true);
      expect(object!.metadata).toMatchObject({
        "audit-records": "5000",
        "audit-sha256": createHash("sha256").update(object!.text).digest("hex"),
      });
    },
  );

  test("large objects go up in parts, and nothing of an upload is left", async () => {
    const filler = "x".repeat(900);
    const lines = Array.from(
      { length: 14_000 },
      (_, n) => `{"timestamp":"2026-02-01T10:00:00Z","n":${n},"x":"${filler}"}`,
    );
    await once(options("parts", { compression: "none", part_size: "5MiB" }), lines);
    const all = await objects("parts");
    expect(Math.max(...all.map(({ text }) => text.length))).toBeGreaterThan(5 * 2 ** 20);
    const texts = all.sort((a, b) => a.text.localeCompare(b.text)).map(({ text }) => text);
    expect(texts.join("") === `${lines.join("\n")}\n`, "the lines as they were, in their order").toBe(true);
    const { Uploads } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
    expect(Uploads ?? []).toEqual([]);
  });

  test("an object is locked, and its day is the preset's", async () => {
    await once(options("locked", { object_lock: { mode: "governance", preset: "soc2" } }), numbered(10));
    const [object] = await objects("locked");
    const where = { Bucket, Key: object!.key };
    const { Retention } = await client.send(new GetObjectRetentionCommand(where));
    expect(Retention?.Mode).toBe("GOVERNANCE");
    const days = (Retention!.RetainUntilDate!.getTime() - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(364.9);
    expect(days).toBeLessThan(365.1);
    const { ContentType } = await client.send(new HeadObjectCommand(where));
    expect(ContentType).toBe("application/gzip");
  });

  test("the way is cut and the agent killed in the middle: each entry once", async () => {
    const way = await Cuttable.to(endpoint);
    await ship({
      output: options("cut", { endpoint: way.url, total_file_size: "256k", upload_timeout: "1s" }),
      count: async () => (await numbers("cut")).length,
      trouble: async () => {
        await way.cut();
        await way.mend();
      },
      kill: true,
    });
    expectAll(await numbers("cut"), "once");
  });

  test("the way hangs in the middle: each entry once", async () => {
    const way = await Cuttable.to(endpoint);
    const more = { endpoint: way.url, total_file_size: "256k", upload_timeout: "1s", timeout: STALL_TIMEOUT };
    await ship({
      output: options("stalled", more),
      count: async () => (await numbers("stalled")).length,
      trouble: () => stalled(way),
    });
    expectAll(await numbers("stalled"), "once");
  });

  test.runIf(canRestart("versitygw"))("the server is restarted in the middle: each entry once", async () => {
    await ship({
      output: options("restart", { total_file_size: "256k", upload_timeout: "1s" }),
      count: async () => (await numbers("restart")).length,
      trouble: () => restart("versitygw", Number(new URL(endpoint).port)),
    });
    expectAll(await numbers("restart"), "once");
  });
});
