/**
 * S3 as its API reference describes it, as far as an archive needs it: conditional writes, SHA-256 checksums, metadata, multipart uploads, Object Lock
 * headers. Path style. https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html and its neighbours.
 */
import { createHash } from "node:crypto";
import type { ServerOptions } from "node:https";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { type FakeAnswer, FakeHttpServer, type ReceivedRequest } from "./http-server.ts";

export type S3Mode =
  /** 503 ServiceUnavailable. */
  | "unavailable"
  /** 503 SlowDown. */
  | "throttled"
  /** 403 AccessDenied. */
  | "denied"
  /** The second part of an upload is answered 500. */
  | "part_fails"
  /** The second part of an upload is never answered. */
  | "part_hangs"
  /** Completing an upload is answered 200, and then with an error. */
  | "complete_fails"
  /** 301: the bucket is in eu-west-1. */
  | "elsewhere"
  /** 403: the service's clock is a day ahead. */
  | "skewed"
  /** A proxy answers every request with 200 and a page of its own. */
  | "portal"
  /** The object is stored, and the connection closed instead of an answer. */
  | "silent";

export interface FakeObject {
  readonly key: string;
  readonly body: Buffer;
  /** Lower case, of the request that made it. */
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: number;
}

interface Upload {
  readonly key: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly parts: Map<number, Buffer>;
}

const DAY = 86_400_000;
const KEPT = /^(x-amz-(meta-|object-lock|server-side|storage|acl|tagging)|content-type)/;

export class FakeS3 extends FakeHttpServer<S3Mode> {
  readonly bucket: string;
  /** In the order of their arrival. */
  readonly objects: FakeObject[] = [];
  readonly uploads = new Map<string, Upload>();
  /** Rights that are not given (`s3:ListBucket`, `s3:GetObject`, `s3:ListBucketMultipartUploads`). */
  readonly withheld = new Set<string>();
  /** Codes by access key: requests signed with it are answered 400 ExpiredToken, say. */
  readonly refusedKeys = new Map<string, string>();
  /** Access keys of the requests, in their order. */
  readonly signedBy: string[] = [];
  /** Whether the bucket has Object Lock. */
  lockable = true;
  /** Whether an object may be looked at in the moment after it was found taken (as of a deletion, or a store that is behind). */
  shy = false;
  /** Rules of the bucket's lifecycle, as XML. */
  lifecycle: string | undefined;
  #uploads = 0;

  private constructor(bucket: string, tls?: ServerOptions) {
    super(tls);
    this.bucket = bucket;
  }

  static start(bucket = "bucket", tls?: ServerOptions): Promise<FakeS3> {
    return new FakeS3(bucket, tls).listen();
  }

  /** The lines of all objects, in the order of the keys' arrival. */
  lines(): string[] {
    return this.objects.flatMap(({ key, body }) => {
      const plain = key.endsWith(".gz") ? gunzipSync(body) : key.endsWith(".zst") ? zstdDecompressSync(body) : body;
      return plain.toString("utf8").split("\n").slice(0, -1);
    });
  }

  put(key: string, body: Buffer, headers: Record<string, string> = {}): void {
    this.objects.push({ key, body, headers, parts: 1 });
  }

  protected override answer(request: ReceivedRequest): FakeAnswer | "close" | Promise<never> {
    const { method, path, query, headers, body } = request;
    if (this.mode === "unavailable") return fault(503, "ServiceUnavailable", "Reduce your request rate.");
    if (this.mode === "throttled")
      return fault(503, "SlowDown", "Please reduce your request rate.", { "retry-after": "3" });
    if (this.mode === "denied") return fault(403, "AccessDenied", "Access Denied");
    if (this.mode === "portal")
      return { status: 200, text: "<html>Log in</html>", headers: { "content-type": "text/html" } };
    if (this.mode === "elsewhere")
      return fault(301, "PermanentRedirect", "Use the specified endpoint", { "x-amz-bucket-region": "eu-west-1" });
    const keyId = /Credential=([^/]+)/.exec(headers.authorization ?? "")?.[1] ?? "";
    this.signedBy.push(keyId);
    const refused = this.refusedKeys.get(keyId);
    if (refused !== undefined) return fault(refused === "ExpiredToken" ? 400 : 403, refused, "refused");
    const signed = String(headers["x-amz-date"]).replace(/^(....)(..)(..)T(..)(..)(..)Z$/, "$1-$2-$3T$4:$5:$6Z");
    if (this.mode === "skewed" && Date.parse(signed) < Date.now() + DAY / 2) {
      const date = new Date(Date.now() + DAY).toUTCString();
      return fault(403, "RequestTimeTooSkewed", "The difference between the times is too large.", { date });
    }
    const [, bucket, ...rest] = path.split("/");
    if (bucket !== this.bucket) return fault(404, "NoSuchBucket", "The specified bucket does not exist");
    const key = rest.join("/");
    if (key === "") return this.#bucket(method, query);
    if (method === "HEAD") {
      const found = this.shy ? undefined : this.#find(key);
      if (found) return this.withheld.has("s3:GetObject") ? { status: 403 } : { status: 200, headers: found.headers };
      return { status: this.withheld.has("s3:ListBucket") ? 403 : 404 };
    }
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => KEPT.test(name))) as Record<
      string,
      string
    >;
    const id = query.get("uploadId");
    if (headers["x-amz-object-lock-mode"] !== undefined && !this.lockable)
      return fault(400, "InvalidRequest", "Bucket is missing Object Lock Configuration");
    if (method === "POST" && query.has("uploads")) {
      const made = `upload-${++this.#uploads}`;
      this.uploads.set(made, { key, headers: kept, parts: new Map() });
      return xml(`<InitiateMultipartUploadResult><UploadId>${made}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (method === "DELETE" && id !== null) {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (method === "PUT") {
      const checksum = createHash("sha256").update(body).digest("base64");
      if (headers["x-amz-checksum-sha256"] !== checksum) return fault(400, "BadDigest", "The checksum did not match");
      if (id !== null) {
        const upload = this.uploads.get(id);
        if (!upload) return fault(404, "NoSuchUpload", "The specified upload does not exist");
        if (this.mode === "part_fails" && query.get("partNumber") === "2") return fault(500, "InternalError", "again");
        if (this.mode === "part_hangs" && query.get("partNumber") === "2") return new Promise(() => undefined);
        upload.parts.set(Number(query.get("partNumber")), body);
        return { status: 200, headers: { etag: `"${query.get("partNumber")}"` } };
      }
      return this.#store(request, { key, body, headers: kept, parts: 1 });
    }
    const upload = id === null ? undefined : this.uploads.get(id);
    if (method !== "POST" || upload === undefined)
      return fault(404, "NoSuchUpload", "The specified upload does not exist");
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    if (parts.slice(0, -1).some((part) => part.length < 5 * 1024 * 1024))
      return fault(400, "EntityTooSmall", "Too small");
    if (this.mode === "complete_fails") {
      const { text } = fault(500, "InternalError", "We encountered an internal error. Please try again.");
      return { status: 200, text: text! };
    }
    const answer = this.#store(request, {
      key,
      body: Buffer.concat(parts),
      headers: upload.headers,
      parts: parts.length,
    });
    if (answer === "close" || answer.status !== 200) return answer;
    this.uploads.delete(id!);
    return xml("<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>");
  }

  #bucket(method: string, query: URLSearchParams): FakeAnswer {
    if (method === "GET" && query.has("lifecycle")) {
      if (this.withheld.has("s3:GetLifecycleConfiguration")) return fault(403, "AccessDenied", "Access Denied");
      if (this.lifecycle === undefined) return fault(404, "NoSuchLifecycleConfiguration", "It does not exist");
      return xml(`<LifecycleConfiguration>${this.lifecycle}</LifecycleConfiguration>`);
    }
    if (method === "GET" && query.has("object-lock")) {
      if (this.lockable)
        return xml("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>");
      return fault(
        404,
        "ObjectLockConfigurationNotFoundError",
        "Object Lock configuration does not exist for this bucket",
      );
    }
    if (method === "GET" && query.has("uploads")) {
      if (this.withheld.has("s3:ListBucketMultipartUploads")) return fault(403, "AccessDenied", "Access Denied");
      const prefix = query.get("prefix") ?? "";
      const found = [...this.uploads].filter(([, { key }]) => key.startsWith(prefix));
      const listed = found.map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
      return xml(`<ListMultipartUploadsResult>${listed.join("")}</ListMultipartUploadsResult>`);
    }
    return { status: this.withheld.has("s3:ListBucket") ? 403 : 200 };
  }

  #find(key: string): FakeObject | undefined {
    return this.objects.findLast((object) => object.key === key);
  }

  #store({ headers }: ReceivedRequest, object: FakeObject): FakeAnswer | "close" {
    if (headers["if-none-match"] === "*" && this.#find(object.key)) {
      return fault(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }
    this.objects.push(object);
    return this.mode === "silent" ? "close" : { status: 200, headers: { etag: '"1"' } };
  }
}

function xml(text: string): FakeAnswer {
  return {
    status: 200,
    text: `<?xml version="1.0" encoding="UTF-8"?>${text}`,
    headers: { "content-type": "application/xml" },
  };
}

function fault(status: number, code: string, message: string, headers: Record<string, string> = {}): FakeAnswer {
  const { text, headers: type } = xml(`<Error><Code>${code}</Code><Message>${message}</Message></Error>`);
  return { status, text: text!, headers: { ...type, ...headers } };
}
