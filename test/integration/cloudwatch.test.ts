/**
 * Against a real HTTP implementation of CloudWatch Logs (moto): `CLOUDWATCH_URL`. It keeps everything in memory, so a restart would empty it: the way to it is
 * cut instead. What it does not check (10,000 events, 1 MiB, 24 hours, retention values) is tried against test/fakes/cloudwatch.ts.
 */
import {
  CloudWatchLogsClient,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  GetLogEventsCommand,
} from "@aws-sdk/client-cloudwatch-logs";
import { describe, expect, test } from "vitest";
import { runOnce } from "../e2e/harness/agent.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { service } from "./services.ts";
import { ENTRIES, expectAll, numbered, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const cloudwatch = service("CloudWatch Logs", ["CLOUDWATCH_URL"]);

describe.runIf(cloudwatch.there)("a real CloudWatch Logs", () => {
  const endpoint = cloudwatch.env.CLOUDWATCH_URL;
  const run = `/it/${process.pid}-${Date.now().toString(36)}`;
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const client = cloudwatch.there
    ? new CloudWatchLogsClient({ endpoint, region: "us-east-1", credentials })
    : (undefined as never);
  const output = (name: string, more: object = {}) => ({
    ...{ name: "cloudwatch", endpoint, region: "us-east-1", access_key_id: "test", secret_access_key: "test" },
    ...{ log_group: `${run}/${name}`, log_stream: "$TAG", ...more },
  });

  async function events(
    logGroupName: string,
    logStreamName = "audit.app",
  ): Promise<{ timestamp: number; message: string }[]> {
    const found: { timestamp: number; message: string }[] = [];
    for (let nextToken: string | undefined; ; ) {
      const page = await client.send(
        new GetLogEventsCommand({
          logGroupName,
          logStreamName,
          startFromHead: true,
          limit: 10_000,
          nextToken,
        }),
      );
      for (const { timestamp, message } of page.events ?? []) found.push({ timestamp: timestamp!, message: message! });
      if ((page.events ?? []).length === 0 || page.nextForwardToken === nextToken) return found;
      nextToken = page.nextForwardToken;
    }
  }

  test("entries arrive byte by byte, in order, in a group and a stream made for them", async () => {
    const workspace = new Workspace();
    const lines = numbered(3_000);
    const path = await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const pipeline = {
      inputs: [{ name: "tail", tag: "audit.app", path }],
      outputs: [{ match: "*", ...output("first", { format: "original", retention_days: 100 }) }],
    };
    const config = JSON.stringify({ service: { data_dir: workspace.path("data") }, pipeline });
    await runOnce(await workspace.write("p.json", config));
    const got = await events(`${run}/first`);
    expect(got.map(({ message }) => message).join("\n") === lines.join("\n"), "the lines as they were").toBe(true);
    expect(got[0]!.timestamp).toBe(Date.parse((JSON.parse(lines[0]!) as { timestamp: string }).timestamp));
    const { logGroups } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: `${run}/first` }));
    expect(logGroups?.map(({ retentionInDays }) => retentionInDays)).toEqual([120]);
    const { logStreams } = await client.send(new DescribeLogStreamsCommand({ logGroupName: `${run}/first` }));
    expect(logStreams?.map(({ logStreamName }) => logStreamName)).toEqual(["audit.app"]);
  });

  test("the way is cut and the agent killed in the middle: all arrive", async () => {
    const way = await Cuttable.to(endpoint);
    await ship({
      output: output("cut", { endpoint: way.url }),
      trouble: async () => {
        for (let i = 0; i < 3; i++) {
          await way.cut();
          await way.mend();
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      },
      kill: true,
    });
    const numbers = (await events(`${run}/cut`)).map(({ message }) => (JSON.parse(message) as { n: number }).n);
    expect(numbers.length).toBeGreaterThanOrEqual(ENTRIES);
    expectAll(numbers, "at least once");
  });

  test("the way hangs in the middle: all arrive", async () => {
    const way = await Cuttable.to(endpoint);
    await ship({
      output: output("stalled", { endpoint: way.url, timeout: STALL_TIMEOUT }),
      count: async () => ((await events(`${run}/stalled`).catch(() => [])).length > 0 ? ENTRIES : 0),
      trouble: () => stalled(way),
    });
    const numbers = (await events(`${run}/stalled`)).map(({ message }) => (JSON.parse(message) as { n: number }).n);
    expectAll(numbers, "at least once");
  });

  test("a group deleted in the middle is made again, with its retention: what follows arrives", async () => {
    const logGroupName = `${run}/deleted`;
    await ship({
      output: output("deleted", { retention_days: 7 }),
      count: async () => {
        const found = await client.send(new DescribeLogStreamsCommand({ logGroupName })).catch(() => undefined);
        return (found?.logStreams?.length ?? 0) > 0 ? ENTRIES : 0;
      },
      trouble: async () => void (await client.send(new DeleteLogGroupCommand({ logGroupName }))),
    });
    const numbers = (await events(logGroupName)).map(({ message }) => (JSON.parse(message) as { n: number }).n);
    expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => ENTRIES - numbers.length + i));
    const { logGroups } = await client.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: logGroupName }));
    expect(logGroups?.map(({ retentionInDays }) => retentionInDays)).toEqual([7]);
  });

  test("many tags go into a stream each, in order and once", async () => {
    const workspace = new Workspace();
    const tags = Array.from({ length: 30 }, (_, i) => `audit.app${i}`);
    const lines = numbered(200);
    const inputs = await Promise.all(
      tags.map(async (tag) => ({
        ...{ name: "tail", alias: tag.replace(".", "_"), tag },
        path: await workspace.write(`logs/${tag}/app.jsonl`, `${lines.join("\n")}\n`),
      })),
    );
    const to = output("many", { format: "original", log_stream: "größe/$TAG[1] %Y" });
    const config = JSON.stringify({
      service: { data_dir: workspace.path("data") },
      pipeline: { inputs, outputs: [{ match: "*", ...to }] },
    });
    await runOnce(await workspace.write("p.json", config));
    for (const tag of tags) {
      const got = await events(`${run}/many`, `größe/${tag.split(".")[1]} ${new Date().getUTCFullYear()}`);
      expect(got.map(({ message }) => message).join("\n") === lines.join("\n"), tag).toBe(true);
    }
  });
});
