/** A bucket on a real S3 server: made, written to by the agent, and read back. */
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  CreateBucketCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { runOnce } from "../e2e/harness/agent.ts";
import { Workspace } from "../e2e/harness/workspace.ts";

export interface Found {
  readonly key: string;
  /** Decompressed. */
  readonly text: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export class Bucket {
  readonly name = `audit-${process.pid}-${Date.now().toString(36)}`;
  readonly client: S3Client;
  readonly #shared: Readonly<Record<string, unknown>>;

  constructor(endpoint: string, accessKeyId: string, secretAccessKey: string) {
    const region = "us-east-1";
    this.client = new S3Client({
      ...{ endpoint, region, forcePathStyle: true },
      credentials: { accessKeyId, secretAccessKey },
    });
    this.#shared = {
      ...{ name: "s3", bucket: this.name, endpoint, region, force_path_style: true },
      ...{ access_key_id: accessKeyId, secret_access_key: secretAccessKey },
    };
  }

  async make(): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket: this.name, ObjectLockEnabledForBucket: true }));
  }

  /** An output's section, for objects under the prefix. */
  options(prefix: string, more: object = {}) {
    return { ...this.#shared, s3_key_format: `${prefix}/%Y/%m/%d/$RANGE.jsonl`, ...more };
  }

  async objects(prefix: string): Promise<Found[]> {
    const { client, name: Bucket } = this;
    const found: Found[] = [];
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

  /** The member `n` of every entry. */
  async numbers(prefix: string): Promise<number[]> {
    const lines = (await this.objects(prefix)).flatMap(({ text }) => text.split("\n").slice(0, -1));
    return lines.map((line) => (JSON.parse(line) as { n: number }).n);
  }

  /** Keys of uploads that were begun and neither completed nor given up. */
  async begun(): Promise<string[]> {
    const { Uploads = [] } = await this.client.send(new ListMultipartUploadsCommand({ Bucket: this.name }));
    return Uploads.map(({ Key }) => Key!);
  }

  /** These lines through the agent, to their end. */
  async ship(output: object, lines: readonly string[]): Promise<void> {
    const workspace = new Workspace();
    const path = await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const pipeline = { inputs: [{ name: "tail", tag: "audit.app", path }], outputs: [{ match: "*", ...output }] };
    const config = { service: { data_dir: workspace.path("data") }, pipeline };
    await runOnce(await workspace.write("p.json", JSON.stringify(config)));
  }
}
