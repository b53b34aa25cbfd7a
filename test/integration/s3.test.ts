/** Against a real S3 server: `S3_URL`, `S3_ACCESS_KEY` and `S3_SECRET_KEY` name one (buckets are made). */
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  CreateBucketCommand,
  GetObjectLegalHoldCommand,
  GetObjectRetentionCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
} from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, test } from "vitest";
import { AgentProcess, runOnce } from "../e2e/harness/agent.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { ledgersOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { seeded } from "../fakes/random.ts";
import { Bucket } from "./bucket.ts";
import { canRestart, restart, service } from "./services.ts";
import { ENTRIES, expectAll, numbered, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const s3 = service("S3 server", ["S3_URL", "S3_ACCESS_KEY", "S3_SECRET_KEY"]);

describe.runIf(s3.there)("a real S3 server", () => {
  const { S3_URL: endpoint, S3_ACCESS_KEY: accessKeyId, S3_SECRET_KEY: secretAccessKey } = s3.env;
  const bucket = new Bucket(endpoint, accessKeyId, secretAccessKey);
  const { client } = bucket;
  const SMALL = { total_file_size: "256k", upload_timeout: "1s" };
  const IN_PARTS = { compression: "none", part_size: "5MiB", format: "original" };
  const filled = (count: number) => {
    const filler = "x".repeat(900);
    return Array.from({ length: count }, (_, n) => `{"timestamp":"2026-02-01T10:00:00Z","n":${n},"x":"${filler}"}`);
  };

  beforeAll(() => bucket.make());

  test.each(["gzip", "zstd", "none"])(
    "objects hold the lines, byte by byte, and say what they are (%s)",
    async (compression) => {
      const lines = numbered(5_000);
      await bucket.ship(bucket.options(compression, { compression, format: "original" }), lines);
      const [object, ...others] = await bucket.objects(compression);
      expect(others).toEqual([]);
      expect(object!.text === `${lines.join("\n")}\n`, "the lines as they were").toBe(true);
      expect(object!.metadata).toMatchObject({
        "audit-records": "5000",
        "audit-sha256": createHash("sha256").update(object!.text).digest("hex"),
      });
    },
  );

  test("large objects go up in parts, locked and tagged as small ones, and nothing of an upload is left", async () => {
    const lines = filled(14_000);
    const more = { tags: { team: "a b/ü" }, object_lock: { mode: "governance", preset: "soc2", legal_hold: true } };
    await bucket.ship(bucket.options("parts", { ...IN_PARTS, ...more }), lines);
    const [object, ...others] = await bucket.objects("parts");
    expect(others).toEqual([]);
    expect(object!.text === `${lines.join("\n")}\n`, "the lines as they were, in their order").toBe(true);
    const where = { Bucket: bucket.name, Key: object!.key };
    const { PartsCount, ETag } = await client.send(new HeadObjectCommand({ ...where, PartNumber: 1 }));
    expect(PartsCount ?? Number(ETag!.match(/-(\d+)"$/)![1])).toBeGreaterThan(1);
    const { Retention } = await client.send(new GetObjectRetentionCommand(where));
    expect(Retention?.Mode).toBe("GOVERNANCE");
    const { LegalHold } = await client.send(new GetObjectLegalHoldCommand(where));
    expect(LegalHold?.Status).toBe("ON");
    const { TagSet } = await client.send(new GetObjectTaggingCommand(where));
    expect(TagSet).toEqual([{ Key: "team", Value: "a b/ü" }]);
    expect(await bucket.begun()).toEqual([]);
  });

  test("an object is locked, and its day is the preset's", async () => {
    await bucket.ship(bucket.options("locked", { object_lock: { mode: "governance", preset: "soc2" } }), numbered(10));
    const [object] = await bucket.objects("locked");
    const where = { Bucket: bucket.name, Key: object!.key };
    const { Retention } = await client.send(new GetObjectRetentionCommand(where));
    expect(Retention?.Mode).toBe("GOVERNANCE");
    const days = (Retention!.RetainUntilDate!.getTime() - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(364.9);
    expect(days).toBeLessThan(365.1);
    const { ContentType } = await client.send(new HeadObjectCommand(where));
    expect(ContentType).toBe("application/gzip");
  });

  describe("validate --connect", () => {
    async function probed(more: object): Promise<{ code: number | null; said: string }> {
      const workspace = new Workspace();
      const pipeline = {
        inputs: [{ name: "tail", tag: "t", path: workspace.path("x.jsonl") }],
        outputs: [{ match: "*", ...bucket.options("probed", more) }],
      };
      const config = { service: { data_dir: workspace.path("data") }, pipeline };
      const file = await workspace.write("p.json", JSON.stringify(config));
      const agent = new AgentProcess(["validate", "--config", file, "--connect"]);
      const { code } = await agent.exited;
      return { code, said: agent.stdout + agent.stderr };
    }

    test("finds all well, and leaves nothing", async () => {
      const { code, said } = await probed({ object_lock: { retain_days: 1 }, tags: { a: "b" } });
      expect(code, said).toBe(0);
      expect([await bucket.objects("probed"), await bucket.begun()]).toEqual([[], []]);
    });

    test("finds what is wrong", async () => {
      const plain = `${bucket.name}-plain`;
      await client.send(new CreateBucketCommand({ Bucket: plain }));
      expect(await probed({ bucket: plain })).toMatchObject({ code: 0 });
      const cases: [object, string][] = [
        [{ bucket: plain, object_lock: { retain_days: 1 } }, "Object Lock is not switched on"],
        [{ bucket: `${bucket.name}-none` }, "NoSuchBucket"],
        [{ access_key_id: "nobody" }, "access key"],
        [{ secret_access_key: "wrong" }, "SignatureDoesNotMatch"],
      ];
      for (const [more, reason] of cases) {
        const { code, said } = await probed(more);
        expect(said).toContain(reason);
        expect(code).not.toBe(0);
      }
    });
  });

  test("the way is cut and the agent killed in the middle: each entry once", async () => {
    const way = await Cuttable.to(endpoint);
    await ship({
      output: bucket.options("cut", { endpoint: way.url, ...SMALL }),
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

  test.runIf(canRestart("versitygw"))("the server is restarted in the middle: each entry once", async () => {
    await ship({
      output: bucket.options("restart", SMALL),
      count: async () => (await bucket.numbers("restart")).length,
      trouble: () => restart("versitygw", Number(new URL(endpoint).port)),
    });
    expectAll(await bucket.numbers("restart"), "once");
  });

  /** `KILLS` and `SEED` repeat or lengthen a run. */
  const KILLS = Number(process.env.KILLS ?? 8);
  const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

  test.each([
    ["small objects", "kill", { total_file_size: "64k", upload_timeout: "100ms" }, numbered(ENTRIES / 5)],
    ["objects in parts", "killparts", { total_file_size: "12M", upload_timeout: "1s", ...IN_PARTS }, filled(40_000)],
  ] as const)(`killed ${KILLS} times with %s, seed ${SEED}: each entry once`, async (_, prefix, more, lines) => {
    const random = seeded(SEED);
    const workspace = new Workspace();
    const path = await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const pipeline = {
      inputs: [{ name: "tail", tag: "audit.app", path }],
      outputs: [{ alias: "out", match: "*", retry: { initial: "50ms", max: "1s" }, ...bucket.options(prefix, more) }],
    };
    const config = { service: { data_dir: workspace.path("data"), log_format: "json" }, pipeline };
    const file = await workspace.write("p.json", JSON.stringify(config));
    for (let kills = 0; kills < KILLS; kills++) {
      const agent = AgentProcess.run(file);
      // From its start, which takes a while, to the middle of an upload or beyond.
      await Promise.race([delay(300 + random() * 900), agent.exited]);
      expect(agent.exit, agent.stderr.slice(-3_000)).toBeUndefined();
      await agent.kill();
    }
    const ledger = ledgersOf(await runOnce(file)).out!;
    expect(ledger).toMatchObject({ delivered: lines.length, rejected: 0, lost: 0, queued: 0 });
    expectAll(await bucket.numbers(prefix), "once", lines.length);
    expect(await bucket.begun()).toEqual([]);
  });
});
