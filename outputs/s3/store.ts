/** The requests, conditional and with checksums, on the SDK's client. */
import { createHash } from "node:crypto";
import type { S3Client, S3ClientConfig } from "@aws-sdk/client-s3";
import type { OutputContext } from "../../agent/api/context.ts";
import { type AwsConnection, awsConnection } from "../shared/aws.ts";
import { named } from "../shared/lazy.ts";
import { aboutObject, type Identity, identityIn } from "./about.ts";
import type { S3Options } from "./options.ts";

type Sdk = typeof import("@aws-sdk/client-s3");
interface Opened {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

/** An upload that failed is given up on the service's side as well, but nothing waits long for that. */
const ABORT_MS = 3_000;
/** Of an upload that is never completed. */
const PROBED: Identity = { plan: "probe", sha256: "", records: 0 };

/** The service has an object of that name. */
export class TakenError extends Error {}

export class Store {
  readonly connection: AwsConnection;
  readonly #options: S3Options;
  readonly #context: OutputContext;
  #opened: Promise<Opened> | undefined;
  readonly #closing = new AbortController();
  /** The last upload in parts, with what is done where it fails. */
  #uploading: Promise<void> = Promise.resolve();

  constructor(options: S3Options, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.connection = awsConnection(options, context);
  }

  /** Throws TakenError where there is an object of that name. */
  async put(key: string, body: Buffer, identity: Identity, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const command = new sdk.PutObjectCommand({
      ...this.#about(client, key, identity),
      Body: body,
      ContentLength: body.length,
      IfNoneMatch: "*",
      ChecksumSHA256: sha256Base64(body),
    });
    stored(await unlessTaken(client.send(command, { abortSignal: signal })));
  }

  /** The same in parts; what was uploaded is given up where anything fails. */
  putParts(key: string, parts: AsyncIterable<Buffer>, identity: Identity, signal: AbortSignal): Promise<void> {
    const upload = this.#putParts(key, parts, identity, AbortSignal.any([signal, this.#closing.signal]));
    this.#uploading = upload.catch(() => undefined);
    return upload;
  }

  async #putParts(key: string, parts: AsyncIterable<Buffer>, identity: Identity, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const upload = await this.#begin(key, identity, signal);
    try {
      const done: { PartNumber: number; ETag: string; ChecksumSHA256: string }[] = [];
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
        const ETag = stored(await client.send(command, { abortSignal: signal }));
        done.push({ PartNumber, ETag, ChecksumSHA256 });
      }
      const complete = new sdk.CompleteMultipartUploadCommand({
        ...upload,
        MultipartUpload: { Parts: done },
        ChecksumType: "COMPOSITE",
        IfNoneMatch: "*",
      });
      stored(await unlessTaken(client.send(complete, { abortSignal: signal })));
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
      return identityIn(Metadata);
    } catch (error) {
      const status = statusOf(error);
      if (status === 404) return undefined;
      if (status === 403)
        (error as Error).message = `${key} is there, but may not be looked at (403): s3:GetObject is needed`;
      throw error;
    }
  }

  /**
   * The same, where nobody has to know: undefined also where a look is not allowed. Without s3:ListBucket that is the answer to a name under
   * which there is nothing; and where something else is wrong, the answer to an upload says what, as one to HEAD never does.
   */
  async glance(key: string, signal: AbortSignal): Promise<Partial<Identity> | undefined> {
    try {
      return await this.identityOf(key, signal);
    } catch (error) {
      if ([400, 401, 403].includes(statusOf(error) ?? 0)) return undefined;
      throw error;
    }
  }

  /** Gives up what a killed agent had uploaded of an object. Where that is not allowed the bucket's lifecycle rule is what remains. */
  async abandon(key: string, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const { bucket: Bucket } = this.#options;
    try {
      const list = new sdk.ListMultipartUploadsCommand({ Bucket, Prefix: key });
      const { Uploads = [] } = await client.send(list, { abortSignal: signal });
      for (const { Key, UploadId } of Uploads) {
        if (Key !== key) continue;
        await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key, UploadId }), { abortSignal: signal });
      }
    } catch {
      signal.throwIfAborted();
    }
  }

  /**
   * An upload in parts is begun as any other is, and given up: rights, encryption, storage class, tags, ACL and lock are those of a write, and
   * nothing is stored.
   */
  async probe(key: string, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const { bucket: Bucket, object_lock } = this.#options;
    if (object_lock) {
      const ask = new sdk.GetObjectLockConfigurationCommand({ Bucket });
      await client.send(ask, { abortSignal: signal }).catch((error: unknown) => {
        // What else is wrong, or that one may not ask, shows below.
        if (!(error instanceof Error) || error.name !== "ObjectLockConfigurationNotFoundError") return;
        error.message = "Object Lock is not switched on there, so no upload with `object_lock` would be taken";
        throw error;
      });
    }
    const upload = await this.#begin(key, PROBED, signal);
    await client.send(new sdk.AbortMultipartUploadCommand(upload), { abortSignal: AbortSignal.timeout(ABORT_MS) });
  }

  async ask<T>(question: (sdk: Sdk, client: S3Client, bucket: string) => Promise<T>): Promise<T> {
    const { sdk, client } = await this.#open();
    return question(sdk, client, this.#options.bucket);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    // Whoever wrote has turned away already; what was uploaded is given up first.
    await this.#uploading;
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.client.destroy();
    this.connection.close();
  }

  #open(): Promise<Opened> {
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

  async #begin(key: string, identity: Identity, signal: AbortSignal) {
    const { sdk, client } = await this.#open();
    const about = this.#about(client, key, identity);
    const create = new sdk.CreateMultipartUploadCommand({
      ...about,
      ChecksumAlgorithm: "SHA256",
      ChecksumType: "COMPOSITE",
    });
    const { UploadId } = await client.send(create, { abortSignal: signal });
    if (UploadId === undefined) throw new Error(ALIEN);
    return { Bucket: about.Bucket, Key: key, UploadId };
  }

  #about(client: S3Client, key: string, identity: Identity) {
    // The SDK signs with the service's clock where ours is wrong: a lock must not end earlier for that.
    const now = this.#context.clock.now() + client.config.systemClockOffset;
    return aboutObject(this.#options, key, identity, now);
  }
}

function sha256Base64(body: Buffer): string {
  return createHash("sha256").update(body).digest("base64");
}

function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

/** Who answers 200 to anything (a log-in page on the way) has stored nothing. */
function stored({ ETag }: { readonly ETag?: string | undefined }): string {
  if (ETag === undefined) throw new Error(ALIEN);
  return ETag;
}

const ALIEN = "the answer is none of S3's: is there a proxy in between?";

async function unlessTaken<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    // What comes after the first bytes of an answer to a completion has no status of its own.
    if (statusOf(error) === 412 || (error as Error).name === "PreconditionFailed") throw new TakenError();
    throw error;
  }
}
