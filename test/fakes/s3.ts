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

const KEPT = /^(x-amz-(meta-|object-lock|server-side|storage|acl|tagging)|content-type)/;

export class FakeS3 extends FakeHttpServer<S3Mode> {
  readonly bucket: string;
  /** In the order of their arrival. */
  readonly objects: FakeObject[] = [];
  readonly uploads = new Map<string, Upload>();
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

  protected override answer(request: ReceivedRequest): FakeAnswer | "close" {
    const { method, path, query, headers, body } = request;
    if (this.mode === "unavailable") return fault(503, "ServiceUnavailable", "Reduce your request rate.");
    if (this.mode === "throttled")
      return fault(503, "SlowDown", "Please reduce your request rate.", { "retry-after": "3" });
    if (this.mode === "denied") return fault(403, "AccessDenied", "Access Denied");
    const [, bucket, ...rest] = path.split("/");
    if (bucket !== this.bucket) return fault(404, "NoSuchBucket", "The specified bucket does not exist");
    const key = rest.join("/");
    if (key === "") return { status: 200 };
    if (method === "HEAD") {
      const found = this.#find(key);
      return found ? { status: 200, headers: found.headers } : { status: 404 };
    }
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => KEPT.test(name))) as Record<
      string,
      string
    >;
    const id = query.get("uploadId");
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

  #find(key: string): FakeObject | undefined {
    return this.objects.findLast((object) => object.key === key);
  }

  #store({ headers }: ReceivedRequest, object: FakeObject): FakeAnswer | "close" {
    if (headers["if-none-match"] === "*" && this.#find(object.key)) {
      return fault(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold");
    }
    this.objects.push(object);
    return this.mode === "silent" ? "close" : { status: 200 };
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
