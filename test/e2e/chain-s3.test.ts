/** Hash chains in S3: each object of originals holds entries of one log, over kills too. */
import { appendFileSync, mkdirSync } from "node:fs";
import { basename } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import { ChainWriter } from "../../filters/chain/harness.ts";
import { FakeS3 } from "../fakes/s3.ts";
import { walk } from "../oracle/walk.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { Workspace } from "./harness/workspace.ts";

test("two logs under one tag, killed in between: the objects of each hold its chain, whole", async () => {
  const workspace = new Workspace();
  const s3 = await FakeS3.start();
  onTestFinished(() => s3.stop());
  const output = {
    name: "s3",
    match: "audit",
    bucket: s3.bucket,
    endpoint: s3.url,
    region: "us-east-1",
    access_key_id: "key",
    secret_access_key: "secret",
    force_path_style: true,
    format: "original",
    s3_key_format: "evidence/$TAG/audit-$INDEX-$RANGE.jsonl",
    upload_timeout: "100ms",
    retry: { initial: "20ms", max: "100ms" },
  };
  const config = await workspace.write(
    "pipeline.yaml",
    JSON.stringify({
      service: { data_dir: "data" },
      pipeline: {
        inputs: [{ name: "tail", tag: "audit", path: "logs/*.jsonl", rotate_wait: "200ms" }],
        filters: [{ name: "chain", match: "audit" }],
        outputs: [output],
      },
    }),
  );
  mkdirSync(workspace.path("logs"));
  const logs = (["loki-dashboard", "app"] as const).map((scheme) => ({
    scheme,
    path: workspace.path(`logs/${scheme}.jsonl`),
    writer: new ChainWriter(scheme),
    written: 0,
  }));
  const write = (count: number) => {
    for (const log of logs) {
      appendFileSync(
        log.path,
        log.writer
          .lines(count)
          .map((line) => `${line}\n`)
          .join(""),
      );
      log.written += count;
    }
  };
  for (let round = 0; round < 3; round++) {
    const agent = AgentProcess.run(config);
    for (let i = 0; i < 10; i++) {
      write(50);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    if (round === 0) await agent.until("an object", () => s3.objects.length > 0);
    await agent.kill();
  }
  await runOnce(config);
  const objects = s3.objects.map(({ key, body }) => ({ key, text: gunzipSync(body).toString() }));
  const isOf = (scheme: string, text: string) => text.includes(scheme === "app" ? "prev_hash" : "_integrity_hash");
  expect(objects.filter(({ text }) => logs.every(({ scheme }) => isOf(scheme, text)))).toEqual([]);
  for (const { scheme, written } of logs) {
    const own = objects.filter(({ text }) => isOf(scheme, text));
    const whole = Buffer.from(own.map(({ text }) => text).join(""));
    expect(walk(schemeOf(scheme), [{ name: "all", bytes: whole }])).toMatchObject({
      valid: true,
      entries_checked: written,
    });
    // As somebody would who downloads them, in any order.
    for (const { key, text } of own.toReversed()) await workspace.write(`${scheme}/${basename(key, ".gz")}`, text);
    const verifier = new AgentProcess(["verify", workspace.path(scheme), "--json"]);
    expect((await verifier.exited).code, verifier.stdout).toBe(0);
    expect(JSON.parse(verifier.stdout)).toMatchObject({ valid: true, entries_checked: written });
  }
}, 60_000);
