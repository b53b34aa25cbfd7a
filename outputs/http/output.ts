import { setTimeout as delay } from "node:timers/promises";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { bodyPool } from "../shared/bodies.ts";
import { gzipped } from "../shared/gzip.ts";
import { HttpClient, type HttpReply, statusReason } from "../shared/http.ts";
import { retryAfterMs } from "../shared/retry-after.ts";
import { ByteWriter } from "../shared/writer.ts";
import { HttpBody } from "./body.ts";
import type { HttpOptions } from "./options.ts";

const RETRY = new Set([408, 425, 429]);
const HINTS: Readonly<Record<number, string>> = {
  401: "check the credentials",
  403: "check the credentials",
  404: "check `url`",
  405: "check `method`",
};
/** A write of many single requests ends after so long, well within the lane's time; the rest comes with the next. */
const SINGLES_MS = 5_000;
/** So many refused one after the other, and none taken, are no accident: an operator has to look. */
const REFUSED_IN_A_ROW = 100;
/** Parts of an address from this length on are taken for keys: those of webhooks are. */
const KEY_LENGTH = 16;

type Verdict =
  | { readonly is: "stored" }
  | { readonly is: "retry"; readonly reason: string; readonly pauseMs: number | undefined }
  | { readonly is: "refused"; readonly reason: string }
  | { readonly is: "blocked"; readonly reason: string };

export class HttpOutput implements Output {
  readonly #options: HttpOptions;
  readonly #context: OutputContext;
  readonly #client: HttpClient;
  readonly #body: HttpBody;
  /** Monotonic milliseconds before which no single request goes out. */
  #nextAt = 0;
  readonly #everyMs: number;

  constructor(options: HttpOptions, context: OutputContext) {
    this.#everyMs = options.rate === undefined ? 0 : 1_000 / options.rate;
    this.#options = options;
    this.#context = context;
    this.#client = new HttpClient({
      urls: options.url,
      tls: options.tls,
      clock: context.clock,
      secrets: () => secretsOf(options),
    });
    this.#body = new HttpBody(options, context);
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    if (this.#options.body === "single") return await this.#singles(batches, signal);
    const writer = bodyPool.take();
    const count = this.#encode(batches, writer);
    if (count === 0) {
      bodyPool.give(writer);
      return {};
    }
    const { verdict, sent } = await this.#send(writer.view(), signal);
    if (sent) bodyPool.give(writer);
    if (verdict.is === "stored") return {};
    if (verdict.is !== "retry") return { [verdict.is]: verdict.reason };
    const failure: Failure = { action: "retry", reason: verdict.reason };
    const failed = new Map(Array.from({ length: count }, (_, i) => [i, failure]));
    return { failed, ...(verdict.pauseMs !== undefined && { pauseMs: verdict.pauseMs }) };
  }

  /** There is no request without an entry that every server understands: this one only has to answer. */
  async probe(signal: AbortSignal): Promise<void> {
    for (const endpoint of this.#options.url) {
      const reply = await this.#client.request({ method: "GET", path: "", headers: this.#headers(), endpoint }, signal);
      // 501 says of GET what 405 says: somebody is there, who takes something else.
      const down = reply.status >= 500 && reply.status !== 501;
      if (reply.status === 401 || reply.status === 403 || down) {
        throw new Error(statusReason(reply.status, reply.text, HINTS[reply.status]));
      }
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** Answers how many there are. */
  #encode(batches: readonly RecordBatch[], writer: ByteWriter): number {
    const list = this.#options.body === "json_array";
    let count = 0;
    if (list) writer.byte(0x5b);
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++) {
        if (list && count > 0) writer.byte(0x2c);
        this.#body.write(batch, index, writer);
        if (!list) writer.byte(0x0a);
        count++;
      }
    }
    if (list) writer.byte(0x5d);
    this.#body.done();
    return count;
  }

  /**
   * One after the other, no faster than allowed. Those not sent in time are left for the next write. A refusal says something about an entry
   * only where another was taken: else all are refused, and the lane finds out why.
   */
  async #singles(batches: readonly RecordBatch[], signal: AbortSignal): Promise<WriteResult> {
    const { clock } = this.#context;
    const documents = this.#documents(batches);
    const failed = new Map<number, Failure>();
    const until = clock.monotonic() + SINGLES_MS;
    let stored = 0;
    for (const [at, document] of documents.entries()) {
      const wait = this.#waitMs();
      if (clock.monotonic() + wait > until) {
        const refused = failed.values().next().value?.reason;
        if (stored > 0 || refused === undefined) return rest(failed, at, documents.length, LATER, wait);
        return failed.size < REFUSED_IN_A_ROW ? { refused } : { blocked: `${failed.size} in a row: ${refused}` };
      }
      this.#nextAt = clock.monotonic() + wait + this.#everyMs;
      if (wait > 0) await delay(wait, undefined, { signal });
      const { verdict } = await this.#send(document, signal).catch((error: Error): { verdict: Verdict } => {
        if (stored === 0) throw error;
        return { verdict: { is: "retry", reason: error.message, pauseMs: undefined } };
      });
      if (verdict.is === "stored") stored++;
      else if (verdict.is === "refused") failed.set(at, { action: "reject", reason: verdict.reason });
      else if (verdict.is === "blocked" && stored === 0) return { blocked: verdict.reason };
      else {
        const action = verdict.is === "blocked" ? "block" : "retry";
        const failure: Failure = { action, reason: verdict.reason };
        const pauseMs = verdict.is === "retry" ? verdict.pauseMs : undefined;
        if (stored === 0) return rest(new Map(), 0, documents.length, failure, pauseMs);
        return rest(failed, at, documents.length, failure, pauseMs);
      }
    }
    if (stored === 0 && failed.size > 0) return { refused: failed.get(0)!.reason };
    // So that the next write does not begin by waiting.
    return rest(failed, documents.length, documents.length, LATER, this.#waitMs());
  }

  /** Until the next single request may go out. */
  #waitMs(): number {
    return Math.max(0, this.#nextAt - this.#context.clock.monotonic());
  }

  #documents(batches: readonly RecordBatch[]): Buffer[] {
    const documents: Buffer[] = [];
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++) {
        const writer = new ByteWriter(512);
        this.#body.write(batch, index, writer);
        documents.push(writer.take());
      }
    }
    this.#body.done();
    return documents;
  }

  /** `sent`: nobody reads the body's memory any more. */
  async #send(bytes: Buffer, signal: AbortSignal): Promise<{ verdict: Verdict; sent: boolean }> {
    const { compression, method, body } = this.#options;
    const zipped = compression === "gzip";
    const packed = zipped ? await gzipped(bytes) : bytes;
    const headers = {
      "content-type": body === "ndjson" ? "application/x-ndjson" : "application/json",
      ...this.#headers(),
      ...(zipped && { "content-encoding": "gzip" }),
    };
    const reply = await this.#client.request({ method, path: "", headers, body: packed }, signal);
    return { verdict: this.#judge(reply), sent: reply.sent };
  }

  #judge({ status, text, headers }: HttpReply): Verdict {
    if (status >= 200 && status < 300) return { is: "stored" };
    const reason = statusReason(status, text, HINTS[status]);
    const { retry_on, refuse_on } = this.#options;
    const refused = status === 413 || refuse_on.includes(status);
    if (retry_on.includes(status) || (!refused && (RETRY.has(status) || status >= 500))) {
      const header = headers["retry-after"];
      const pauseMs = retryAfterMs(typeof header === "string" ? header : undefined, this.#context.clock.now());
      return { is: "retry", reason, pauseMs };
    }
    return { is: refused ? "refused" : "blocked", reason };
  }

  /** Secrets are revealed at every request: those from files may have been renewed. */
  #headers(): Record<string, string> {
    const { headers, username, password, bearer } = this.#options;
    const all: Record<string, string> = { "user-agent": `audit-agent/${this.#context.version}` };
    for (const [name, value] of Object.entries(headers)) all[name.toLowerCase()] = value.reveal().trim();
    if (bearer) all.authorization = `Bearer ${bearer.reveal().trim()}`;
    if (username !== undefined && password) {
      all.authorization = `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString("base64")}`;
    }
    return all;
  }
}

const LATER: Failure = { action: "later", reason: "not sent yet" };

/** From `from` on all end as `failure`. */
function rest(
  failed: Map<number, Failure>,
  from: number,
  to: number,
  failure: Failure,
  pauseMs: number | undefined,
): WriteResult {
  for (let at = from; at < to; at++) failed.set(at, failure);
  return { ...(failed.size > 0 && { failed }), ...(pauseMs !== undefined && pauseMs > 0 && { pauseMs }) };
}

/** Also in the form in which the server sees them. The address of a webhook is itself what lets a request in. */
function secretsOf({ url, headers, username, password, bearer }: HttpOptions): string[] {
  const plain = [...Object.values(headers), password, bearer].flatMap((secret) => secret?.reveal().trim() ?? []);
  // `Authorization: Token abc`: a server that quotes it says `abc`.
  plain.push(...plain.flatMap((value) => /^[\w-]+ (\S+)$/.exec(value)?.[1] ?? []));
  if (username !== undefined && password) {
    plain.push(Buffer.from(`${username}:${password.reveal()}`).toString("base64"));
  }
  for (const { pathname, search, searchParams } of url.map((text) => new URL(text))) {
    const parts = [...pathname.split("/"), ...search.split(/[?&=]/), ...searchParams.values()];
    plain.push(...parts.filter((part) => part.length >= KEY_LENGTH));
  }
  return plain;
}
