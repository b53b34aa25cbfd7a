/**
 * A network that is slow, narrow and resets connections, in front of every destination's real server: `TOXI_URL` names a toxiproxy
 * (https://github.com/Shopify/toxiproxy), which drives the faults. Nothing may be lost, rejected or left.
 */
import { setTimeout as delay } from "node:timers/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { service } from "./services.ts";
import { ship } from "./shipment.ts";

const toxiproxy = service("toxiproxy", ["TOXI_URL"]);
const ENTRIES = 20_000;
const { env } = process;
const run = `faults-${process.pid}-${Date.now().toString(36)}`;

/** An output through the proxy's port; undefined where its server is not there. */
type Way = { readonly target: string; readonly output: (port: number) => Record<string, unknown> } | undefined;

const at = (url: string | undefined) => url && `127.0.0.1:${new URL(url).port}`;
const way = (target: string | undefined, output: (port: number) => Record<string, unknown>): Way =>
  target === undefined || target === "" ? undefined : { target, output };
const aws = { region: "us-east-1", access_key_id: "test", secret_access_key: "test" };

const WAYS: Readonly<Record<string, Way>> = {
  elasticsearch: way(at(env.ELASTICSEARCH_URL), (port) => ({
    ...{ name: "elasticsearch", url: `http://127.0.0.1:${port}`, index: run },
    ...(env.ELASTICSEARCH_API_KEY && { api_key: env.ELASTICSEARCH_API_KEY }),
  })),
  s3: way(at(env.S3_URL), (port) => ({
    ...{ name: "s3", bucket: run, endpoint: `http://127.0.0.1:${port}`, region: "us-east-1", force_path_style: true },
    ...{ access_key_id: env.S3_ACCESS_KEY, secret_access_key: env.S3_SECRET_KEY },
    ...{ total_file_size: "256k", upload_timeout: "1s" },
  })),
  cloudwatch: way(at(env.CLOUDWATCH_URL), (port) => ({
    ...{ name: "cloudwatch", endpoint: `http://127.0.0.1:${port}`, log_group: `/${run}`, ...aws },
  })),
  splunk_hec: way(at(env.HEC_URL), (port) => ({
    ...{
      name: "splunk_hec",
      url: `http://127.0.0.1:${port}`,
      token: env.HEC_TOKEN,
      acknowledge: true,
      ack_timeout: "5s",
    },
  })),
  "syslog over tcp": way(env.RSYSLOG_TCP_PORT && `127.0.0.1:${env.RSYSLOG_TCP_PORT}`, (port) => ({
    ...{ name: "syslog", host: "127.0.0.1", port, protocol: "tcp" },
  })),
  "syslog over relp": way(env.RSYSLOG_RELP_PORT && `127.0.0.1:${env.RSYSLOG_RELP_PORT}`, (port) => ({
    ...{ name: "syslog", host: "127.0.0.1", port, protocol: "relp" },
  })),
};

class BadWay {
  readonly #name: string;

  private constructor(name: string) {
    this.#name = name;
  }

  static async to(upstream: string): Promise<{ proxy: BadWay; port: number }> {
    const name = `${run}-${upstream}`;
    const made = await ask("POST", "/proxies", { name, listen: "127.0.0.1:0", upstream });
    onTestFinished(() => ask("DELETE", `/proxies/${name}`).then(() => undefined));
    const port = Number(/:(\d+)$/.exec((made as { listen: string }).listen)![1]);
    return { proxy: new BadWay(name), port };
  }

  async add(type: string, attributes: object, stream = "upstream"): Promise<void> {
    await ask("POST", `/proxies/${this.#name}/toxics`, { name: `${type}-${stream}`, type, stream, attributes });
  }

  async remove(type: string, stream = "upstream"): Promise<void> {
    await ask("DELETE", `/proxies/${this.#name}/toxics/${type}-${stream}`);
  }
}

async function ask(method: string, path: string, body?: object): Promise<unknown> {
  const response = await fetch(`${toxiproxy.env.TOXI_URL}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

describe.runIf(toxiproxy.there)("through a bad network", () => {
  const there = Object.entries(WAYS).flatMap(([name, found]) => (found ? [{ name, ...found }] : []));
  beforeAll(async () => {
    const { S3_URL: endpoint, S3_ACCESS_KEY: accessKeyId = "", S3_SECRET_KEY: secretAccessKey = "" } = env;
    if (endpoint === undefined) return;
    const credentials = { accessKeyId, secretAccessKey };
    const client = new S3Client({ endpoint, region: "us-east-1", forcePathStyle: true, credentials });
    await client.send(new CreateBucketCommand({ Bucket: run }));
    client.destroy();
  });
  test.each(there)("$name: slow, narrow, reset in the middle", async ({ target, output }) => {
    const { proxy, port } = await BadWay.to(target);
    await proxy.add("latency", { latency: 40, jitter: 20 });
    await proxy.add("latency", { latency: 40, jitter: 20 }, "downstream");
    await proxy.add("bandwidth", { rate: 4_000 });
    const ledger = await ship({
      entries: ENTRIES,
      output: { timeout: "5s", ...output(port) },
      trouble: async () => {
        for (let i = 0; i < 3; i++) {
          await proxy.add("reset_peer", { timeout: 100 });
          await delay(300);
          await proxy.remove("reset_peer");
          await delay(200);
        }
      },
    });
    expect(ledger).toMatchObject({ read: ENTRIES, delivered: ENTRIES, rejected: 0, lost: 0 });
  });
});
