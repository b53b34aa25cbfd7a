/**
 * Against moto (`CLOUDWATCH_URL`): a second implementation of S3, and the only one of the token service. It accepts wrong signatures, checksums and
 * clocks, so what is refused is tried elsewhere. It keeps everything in memory: the way to it is cut instead of a restart.
 */
import { GetObjectTaggingCommand, HeadObjectCommand } from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, test } from "vitest";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { Bucket } from "./bucket.ts";
import { service } from "./services.ts";
import { expectAll, numbered, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const moto = service("moto, for S3", ["CLOUDWATCH_URL"]);

describe.runIf(moto.there)("S3 and the token service of moto", () => {
  const endpoint = moto.env.CLOUDWATCH_URL;
  const bucket = new Bucket(endpoint, "test", "test");
  const SMALL = { total_file_size: "256k", upload_timeout: "1s" };

  beforeAll(() => bucket.make());

  test("encryption, storage class, tags and ACL are what the object has", async () => {
    const more = {
      server_side_encryption: "aws:kms",
      kms_key_id: "alias/audit",
      storage_class: "STANDARD_IA",
      acl: "bucket-owner-full-control",
      tags: { team: "a b" },
    };
    await bucket.ship(bucket.options("options", more), numbered(10));
    const [object] = await bucket.objects("options");
    const where = { Bucket: bucket.name, Key: object!.key };
    expect(await bucket.client.send(new HeadObjectCommand(where))).toMatchObject({
      ServerSideEncryption: "aws:kms",
      SSEKMSKeyId: "alias/audit",
      StorageClass: "STANDARD_IA",
    });
    expect((await bucket.client.send(new GetObjectTaggingCommand(where))).TagSet).toEqual([
      { Key: "team", Value: "a b" },
    ]);
  });

  test("the service's own keys (SSE-S3)", async () => {
    await bucket.ship(bucket.options("sse", { server_side_encryption: "AES256" }), numbered(10));
    const [object] = await bucket.objects("sse");
    const where = { Bucket: bucket.name, Key: object!.key };
    expect((await bucket.client.send(new HeadObjectCommand(where))).ServerSideEncryption).toBe("AES256");
  });

  test("with a role's credentials, the way cut and the agent killed in the middle: each entry once", async () => {
    const way = await Cuttable.to(endpoint);
    const assume_role = { role_arn: "arn:aws:iam::123456789012:role/audit", endpoint: way.url };
    await ship({
      output: bucket.options("cut", { endpoint: way.url, ...SMALL, assume_role }),
      count: async () => (await bucket.numbers("cut")).length,
      trouble: async () => {
        await way.cut();
        await way.mend();
      },
      kill: true,
    });
    expectAll(await bucket.numbers("cut"), "once");
  });

  test("the way hangs in the middle: each entry once", async () => {
    const way = await Cuttable.to(endpoint);
    await ship({
      output: bucket.options("stalled", { endpoint: way.url, ...SMALL, timeout: STALL_TIMEOUT }),
      count: async () => (await bucket.numbers("stalled")).length,
      trouble: () => stalled(way),
    });
    expectAll(await bucket.numbers("stalled"), "once");
  });

  test("large objects in parts", async () => {
    const filler = "x".repeat(900);
    const lines = Array.from(
      { length: 14_000 },
      (_, n) => `{"timestamp":"2026-02-01T10:00:00Z","n":${n},"x":"${filler}"}`,
    );
    await bucket.ship(bucket.options("parts", { compression: "none", part_size: "5MiB", format: "original" }), lines);
    const [object, ...others] = await bucket.objects("parts");
    expect(others).toEqual([]);
    expect(object!.text === `${lines.join("\n")}\n`, "the lines as they were, in their order").toBe(true);
    expect(await bucket.begun()).toEqual([]);
  });
});
