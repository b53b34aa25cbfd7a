import { randomUUID } from "node:crypto";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { bodyPool } from "../shared/bodies.ts";
import { gzipped } from "../shared/gzip.ts";
import { HttpClient, type HttpReply } from "../shared/http.ts";
import { Acknowledgements, type Way } from "./acks.ts";
import { acknowledged, reasonOf, type Verdict, verdictOf } from "./answer.ts";
import { EventBody } from "./body.ts";
import { rootOf, type SplunkOptions } from "./options.ts";
import { Rows } from "./rows.ts";

/** So many invalid events are found by their number in one write; with more of them the lane's halving is quicker. */
const MAX_INVALID = 16;

/** More than any browser keeps for one name. */
const MAX_COOKIE = 8 * 1024;

/** Why the rest of a write is not stored. */
interface Trouble {
  readonly is: "refused" | "blocked" | "retry";
  readonly reason: string;
  readonly pauseMs?: number | undefined;
}

export class SplunkOutput implements Output {
  readonly #options: SplunkOptions;
  readonly #context: OutputContext;
  readonly #client: HttpClient;
  readonly #body: EventBody;
  readonly #acks: Acknowledgements | undefined;
  /**
   * Acknowledgements are kept per channel; a new one each start, as nobody waits for the old ones any more, and whenever the collector may
   * have forgotten some: one that restarted gives the same ids again. `used`: ids were given for it.
   */
  #channel = { id: randomUUID(), used: false };

  constructor(options: SplunkOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    const { clock, node, fields, emit, alias } = context;
    this.#client = new HttpClient({
      urls: options.url.map(rootOf),
      tls: options.tls,
      clock,
      secrets: () => [options.token.reveal().trim()],
    });
    this.#body = new EventBody({ options, node, fields, emit, alias });
    this.#acks = options.acknowledge
      ? new Acknowledgements({
          intervalMs: options.ack_interval,
          timeoutMs: options.ack_timeout,
          ask: (way, ids, signal) => this.#ask(way, ids, signal),
          onDoubt: (channel) => this.#doubt(channel),
        })
      : undefined;
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    const failed = new Map<number, Failure>();
    const ownSource = this.#options.mode === "event" || this.#options.source !== undefined;
    const groups = ownSource ? [Rows.of(batches)] : Rows.bySource(batches);
    for (const [i, group] of groups.entries()) {
      const nothingYet = i === 0 && failed.size === 0;
      const trouble = await this.#send(group, failed, signal).catch((error: Error): Trouble => {
        if (nothingYet && failed.size === 0) throw error;
        return { is: "retry", reason: error.message };
      });
      if (trouble === undefined) continue;
      const { is, reason, pauseMs } = trouble;
      if (nothingYet && failed.size === 0 && is !== "retry") return { [is]: reason };
      // What came before is settled: only the rest is written again.
      const action = is === "blocked" ? "block" : "retry";
      const failure: Failure = { action, reason };
      for (const { ats } of groups.slice(i)) for (const at of ats) if (!failed.has(at)) failed.set(at, failure);
      return { failed, ...(pauseMs !== undefined && { pauseMs }) };
    }
    return failed.size > 0 ? { failed } : {};
  }

  /** Not every collector's health endpoint looks at tokens; a request without an event does, and is refused for having none. */
  async probe(signal: AbortSignal): Promise<void> {
    const ack = this.#options.acknowledge ? "?ack=true" : "";
    for (const url of this.#options.url.map(rootOf)) {
      const health = await this.#client.request(
        {
          method: "GET",
          path: `/services/collector/health${ack}`,
          headers: this.#headers(this.#channel.id),
          endpoint: url,
        },
        signal,
      );
      if (health.status !== 200) throw new Error(`${url}: ${reasonOf(health)}`);
      const empty = await this.#post(Buffer.alloc(0), "", this.#channel.id, signal, url);
      if (empty.status === 401 || empty.status === 403) throw new Error(`${url}: ${reasonOf(empty)}`);
      if (this.#options.acknowledge) await this.#probeAcks(url, signal);
    }
  }

  /** The token may have no acknowledgement. No id was given for this channel yet. */
  async #probeAcks(endpoint: string, signal: AbortSignal): Promise<void> {
    const way = { endpoint, channel: randomUUID(), cookie: undefined };
    await this.#ask(way, [0], signal).catch((error: Error) => {
      throw new Error(`${endpoint}: ${error.message}`);
    });
  }

  async close(): Promise<void> {
    this.#acks?.close();
    await this.#client.close();
  }

  /** Sends records until all are stored, or are in `failed` because they are invalid. Says why it could not. */
  async #send(all: Rows, failed: Map<number, Failure>, signal: AbortSignal): Promise<Trouble | undefined> {
    let left = all;
    for (let invalid = 0; left.count > 0; ) {
      const verdict = await this.#attempt(left, signal);
      if (verdict.is === "taken") return undefined;
      if (verdict.is === "unknown") throw new Error(verdict.reason);
      const { reason } = verdict;
      if (verdict.is === "busy") return { is: "retry", reason, pauseMs: verdict.pauseMs };
      if (verdict.is !== "invalid") return { is: verdict.is, reason };
      const suspect = verdict.event === undefined ? undefined : left.ats[verdict.event];
      if (suspect === undefined || left.count === 1 || ++invalid > MAX_INVALID) return { is: "refused", reason };
      // Collectors differ in where they begin to count: an event is guilty when it is refused all by itself.
      const alone = await this.#attempt(left.only(suspect), signal);
      if (alone.is === "unknown") throw new Error(alone.reason);
      if (alone.is === "busy") return { is: "retry", reason: alone.reason, pauseMs: alone.pauseMs };
      if (alone.is !== "invalid") return { is: "refused", reason };
      failed.set(suspect, { action: "reject", reason: alone.reason });
      left = left.without(suspect);
    }
    return undefined;
  }

  /** One request; with acknowledgement it is over when what was taken is indexed. */
  async #attempt(rows: Rows, signal: AbortSignal): Promise<Verdict> {
    const writer = bodyPool.take();
    rows.each((batch, index) => this.#body.write(batch, index, writer));
    this.#body.done();
    const channel = this.#channel;
    const heardBefore = this.#acks?.heard ?? 0;
    const query = this.#query(rows.first, channel.id);
    const reply = await this.#post(writer.view(), query, channel.id, signal).catch((error: Error) => {
      this.#doubt(channel.id);
      throw error;
    });
    if (reply.sent) bodyPool.give(writer);
    const verdict = verdictOf(reply, this.#context.clock.now());
    if (verdict.doubt) this.#doubt(channel.id);
    if (verdict.is !== "taken" || this.#acks === undefined) return verdict;
    if (verdict.ackId === undefined) {
      return {
        is: "blocked",
        reason: "the token has no indexer acknowledgement: switch it on, or set `acknowledge: false`",
      };
    }
    channel.used = true;
    const way = { endpoint: reply.endpoint, channel: channel.id, cookie: cookieOf(reply) };
    await this.#acks.wait(way, verdict.ackId, heardBefore, signal);
    return verdict;
  }

  #doubt(channel: string): void {
    if (this.#channel.id === channel && this.#channel.used) this.#channel = { id: randomUUID(), used: false };
  }

  async #post(
    body: Buffer,
    query: string,
    channel: string,
    signal: AbortSignal,
    endpoint?: string,
  ): Promise<HttpReply> {
    const zipped = this.#options.compression === "gzip" && body.length > 0;
    const packed = zipped ? await gzipped(body) : body;
    const path = this.#options.mode === "raw" ? `/services/collector/raw${query}` : "/services/collector/event";
    const type = this.#options.mode === "raw" ? "text/plain; charset=utf-8" : "application/json";
    const headers = { ...this.#headers(channel), "content-type": type, ...(zipped && { "content-encoding": "gzip" }) };
    return await this.#client.request(
      { method: "POST", path, headers, body: packed, ...(endpoint && { endpoint }) },
      signal,
    );
  }

  async #ask({ endpoint, channel, cookie }: Way, ids: readonly number[], signal: AbortSignal): Promise<number[]> {
    const headers = { ...this.#headers(channel), "content-type": "application/json", ...(cookie && { cookie }) };
    const path = `/services/collector/ack?channel=${channel}`;
    const body = JSON.stringify({ acks: ids });
    return acknowledged(await this.#client.request({ method: "POST", path, headers, body, endpoint }, signal));
  }

  /** The token is revealed at every request: a secret from a file may have been renewed. */
  #headers(channel: string): Record<string, string> {
    return {
      authorization: `Splunk ${this.#options.token.reveal().trim()}`,
      "user-agent": `audit-agent/${this.#context.version}`,
      "x-splunk-request-channel": channel,
    };
  }

  /** Raw lines have no envelope: what belongs there goes into the address. */
  #query({ source }: RecordBatch, channel: string): string {
    if (this.#options.mode === "event") return "";
    const { host, index, sourcetype } = this.#options;
    const query = new URLSearchParams({
      channel,
      host: host ?? this.#context.node,
      source: this.#options.source ?? source.path ?? source.input,
      sourcetype,
      ...(index !== undefined && { index }),
    });
    // A plus is a space only in forms.
    return `?${String(query).replaceAll("+", "%20")}`;
  }
}

/** What the load balancer set, if there is one: sent back with the questions only, so that entries go on being spread. */
function cookieOf({ headers }: HttpReply): string | undefined {
  const pairs = [headers["set-cookie"] ?? []].flat().map((cookie) => cookie.split(";", 1)[0]!.trim());
  const cookie = pairs.join("; ");
  return cookie === "" || cookie.length > MAX_COOKIE ? undefined : cookie;
}
