/** The requests, conditional and with checksums, on the SDK's client. */
import { createHash } from "node:crypto";
import type { PutObjectCommandInput, S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import type { OutputContext } from "../../agent/api/context.ts";
import { type AwsConnection, awsConnection } from "../shared/aws.ts";
import { named } from "../shared/lazy.ts";
import { retentionDays } from "../shared/retention.ts";
import type { S3Options } from "./options.ts";

type Sdk = typeof import("@aws-sdk/client-s3");

/** What an object says of itself. */
export interface Identity {
  readonly plan: string;
  /** SHA-256 of the uncompressed content, hex. */
  readonly sha256: string;
  readonly records: number;
}

const DAY = 86_400_000;
const PLAN = "audit-plan";
const SHA256 = "audit-sha256";
const RECORDS = "audit-records";
const TYPES = { gzip: "application/gzip", zstd: "application/zstd", none: "application/x-ndjson" } as const;
/** An upload that failed is given up on the service's side as well, but nothing waits long for that. */
const ABORT_MS = 5_000;

/** The service has an object of that name. */
export class TakenError extends Error {}

export class Store {
  readonly connection: AwsConnection;
  readonly #options: S3Options;
  readonly #context: OutputContext;
  #opened: Promise<{ readonly sdk: Sdk; readonly client: S3Client }> | undefined;

  constructor(options: S3Options, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.connection = awsConnection(options, context);
  }

  /** Throws TakenError where there is an object of that name. */
  async put(key: string, body: Buffer, identity: Identity, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const command = new sdk.PutObjectCommand({
      ...this.#about(key, identity),
      Body: body,
      ContentLength: body.length,
      IfNoneMatch: "*",
      ChecksumSHA256: sha256Base64(body),
    });
    await unlessTaken(client.send(command, { abortSignal: signal }));
  }

  /** The same in parts; what was uploaded is given up where anything fails. */
  async putParts(key: string, parts: AsyncIterable<Buffer>, identity: Identity, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const where = { Bucket: this.#options.bucket, Key: key };
    const create = new sdk.CreateMultipartUploadCommand({
      ...this.#about(key, identity),
      ChecksumAlgorithm: "SHA256",
      ChecksumType: "COMPOSITE",
    });
    const { UploadId } = await client.send(create, { abortSignal: signal });
    const upload = { ...where, UploadId };
    try {
      const done: { PartNumber: number; ETag: string | undefined; ChecksumSHA256: string }[] = [];
      for await (const body of parts) {
        const ChecksumSHA256 = sha256Base64(body);
        const PartNumber = done.length + 1;
        const command = new sdk.UploadPartCommand({
          ...upload,
          PartNumber,
          Body: body,
          ContentLength: body.length,
          ChecksumSHA256,
        });
        const { ETag } = await client.send(command, { abortSignal: signal });
        done.push({ PartNumber, ETag, ChecksumSHA256 });
      }
      const complete = new sdk.CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts: done },
        ChecksumType: "COMPOSITE",
        IfNoneMatch: "*",
      });
      await unlessTaken(client.send(complete, { abortSignal: signal }));
    } catch (error) {
      const abort = new sdk.AbortMultipartUploadCommand(upload);
      await client.send(abort, { abortSignal: AbortSignal.timeout(ABORT_MS) }).catch(() => undefined);
      throw error;
    }
  }

  /** What the object of that name says of itself; undefined where there is none. */
  async identityOf(key: string, signal: AbortSignal): Promise<Partial<Identity> | undefined> {
    const { sdk, client } = await this.#open();
    try {
      const command = new sdk.HeadObjectCommand({ Bucket: this.#options.bucket, Key: key });
      const { Metadata = {} } = await client.send(command, { abortSignal: signal });
      const { [PLAN]: plan, [SHA256]: sha256 } = Metadata;
      return { ...(plan !== undefined && { plan }), ...(sha256 !== undefined && { sha256 }) };
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.HeadBucketCommand({ Bucket: this.#options.bucket }), { abortSignal: signal });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.client.destroy();
    this.connection.close();
  }

  #open(): Promise<{ readonly sdk: Sdk; readonly client: S3Client }> {
    this.#opened ??= import("@aws-sdk/client-s3").then(named).then((sdk) => ({
      sdk,
      client: new sdk.S3Client({
        ...this.connection.config,
        forcePathStyle: this.#options.force_path_style,
        // Every request that carries content has a SHA-256 of its own making; what answers carry is not read.
        requestChecksumCalculation: "WHEN_REQUIRED",
        responseChecksumValidation: "WHEN_REQUIRED",
      } as S3ClientConfig),
    }));
    return this.#opened;
  }

  #about(key: string, { plan, sha256, records }: Identity) {
    const { bucket, compression, server_side_encryption, kms_key_id, storage_class, acl, tags } = this.#options;
    const about: Omit<PutObjectCommandInput, "Body"> = {
      Bucket: bucket,
      Key: key,
      ContentType: TYPES[compression],
      Metadata: { [PLAN]: plan, [SHA256]: sha256, [RECORDS]: String(records) },
      ...(server_side_encryption && { ServerSideEncryption: server_side_encryption }),
      ...(kms_key_id !== undefined && { SSEKMSKeyId: kms_key_id }),
      ...(storage_class && { StorageClass: storage_class }),
      ...(acl && { ACL: acl }),
      ...(Object.keys(tags).length > 0 && { Tagging: new URLSearchParams(tags).toString() }),
      ...this.#lock(),
    };
    return about;
  }

  /** Counted from the upload: a repeat that finds the object there leaves its date as it is. */
  #lock(): Partial<PutObjectCommandInput> {
    const lock = this.#options.object_lock;
    if (!lock) return {};
    const { days } = retentionDays(lock.preset, lock.retain_days);
    return {
      ...(days !== undefined && {
        ObjectLockMode: lock.mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
        ObjectLockRetainUntilDate: new Date(this.#context.clock.now() + days * DAY),
      }),
      ...(lock.legal_hold && { ObjectLockLegalHoldStatus: "ON" as const }),
    };
  }
}

function sha256Base64(body: Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

async function unlessTaken(answer: Promise<unknown>): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if (statusOf(error) === 412) throw new TakenError();
    throw error;
  }
}
