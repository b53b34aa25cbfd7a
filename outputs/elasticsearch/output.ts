import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { bodyPool } from "../shared/bodies.ts";
import type { Sending } from "../shared/exchange.ts";
import { gzipped } from "../shared/gzip.ts";
import { timeTemplate } from "../shared/strftime.ts";
import type { ByteWriter } from "../shared/writer.ts";
import { BULK_FILTER, type BulkItem, readAnswer } from "./answer.ts";
import { BodyBuilder } from "./body.ts";
import { classifyItem, classifyRequest, isTooLargeItself } from "./classify.ts";
import { ElasticsearchClient, type Reply } from "./client.ts";
import { type Conflict, resolveConflicts } from "./conflicts.ts";
import { DEFAULT_INDEX, type ElasticsearchOptions } from "./options.ts";
import { probe } from "./probe.ts";
import { SetupBlocked, setUp } from "./setup.ts";

export class ElasticsearchOutput implements Output {
  readonly #options: ElasticsearchOptions;
  readonly #context: OutputContext;
  readonly #client: ElasticsearchClient;
  readonly #builder: BodyBuilder;
  readonly #target: (ms: number) => string;
  /**
   * Bodies of so many bytes are asked about before they are sent, since the connection of one broke. Elasticsearch answers 413 and closes at
   * once, and the answer is often lost in the reset (half of them, of 8 MB at 9.5.3): the lane would hardly learn to halve it.
   */
  #askFrom = Number.POSITIVE_INFINITY;
  #setUp: Promise<void> | undefined;

  constructor(options: ElasticsearchOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.#client = new ElasticsearchClient(options);
    const stream = options.data_stream;
    const index = timeTemplate(options.index ?? DEFAULT_INDEX);
    this.#target = stream === undefined ? (ms) => index.format(ms) : () => stream;
    const { fields, emit, alias } = context;
    this.#builder = new BodyBuilder({ target: this.#target, fields, format: options.format, emit, alias });
  }

  async write(batches: readonly RecordBatch[], plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    if (this.#options.setup) {
      try {
        await this.#ready(signal);
      } catch (error) {
        if (error instanceof SetupBlocked) return { blocked: error.message };
        throw error;
      }
    }
    const writer = bodyPool.take();
    const count = this.#builder.write(batches, writer);
    this.#builder.release();
    if (count === 0) {
      bodyPool.give(writer);
      return {};
    }
    const sent = { bytes: writer.length, records: count };
    const reply = await this.#send(writer, signal);
    const now = this.#context.clock.now();
    const verdict = classifyRequest(reply.status, reply.text, reply.retryAfter, now, sent);
    if (verdict.is === "refused") return { refused: verdict.reason };
    if (verdict.is === "blocked") return { blocked: verdict.reason };
    if (verdict.is === "unknown") throw new Error(verdict.reason);
    if (verdict.is === "retry") {
      const failure: Failure = { action: "retry", reason: verdict.reason };
      const failed = new Map(Array.from({ length: count }, (_, i) => [i, failure]));
      return verdict.pauseMs === undefined ? { failed } : { failed, pauseMs: verdict.pauseMs };
    }
    const items = readAnswer(reply.text, count);
    return items === undefined ? {} : await this.#judge(items, batches, plan.repeat || reply.resent, now, signal);
  }

  probe(signal: AbortSignal): Promise<void> {
    return probe(this.#options, this.#target(this.#context.clock.now()), this.#client, signal);
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** The template and the policy, once; after a failure again. */
  async #ready(signal: AbortSignal): Promise<void> {
    this.#setUp ??= setUp(this.#options, this.#client, this.#context.emit, this.#context.alias, signal);
    try {
      await this.#setUp;
    } catch (error) {
      this.#setUp = undefined;
      throw error;
    }
  }

  /** Sends the body; gives the writer back only when nobody reads its memory any more, and else drops it. */
  async #send(writer: ByteWriter, signal: AbortSignal): Promise<Reply> {
    if (this.#options.compression === "gzip") {
      const body = await gzipped(writer.view());
      bodyPool.give(writer);
      return (await this.#bulk(body, signal)).reply;
    }
    const { reply, sent } = await this.#bulk(writer.view(), signal);
    if (sent) bodyPool.give(writer);
    return reply;
  }

  async #bulk(body: Buffer, signal: AbortSignal): Promise<{ reply: Reply; sent: boolean }> {
    const asking = body.length >= this.#askFrom;
    const sending: Sending = { sent: true, begun: 0, asking, broken: false };
    const gzipped = this.#options.compression === "gzip";
    let status = 0;
    try {
      const request = { method: "POST", path: "/_bulk", query: { filter_path: BULK_FILTER } } as const;
      const reply = await this.#client.ask({ ...request, body, sending, gzipped }, signal);
      status = reply.status;
      return { reply, sent: sending.sent };
    } finally {
      if (sending.broken) this.#askFrom = Math.min(this.#askFrom, body.length);
      else if (asking && status !== 413) this.#askFrom = Number.POSITIVE_INFINITY;
    }
  }

  async #judge(
    items: readonly BulkItem[],
    batches: readonly RecordBatch[],
    repeat: boolean,
    now: number,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const failed = new Map<number, Failure>();
    const conflicts: Conflict[] = [];
    let tooLarge = 0;
    let repeated = 0;
    let at = 0;
    for (const batch of batches) {
      for (let index = 0; index < batch.count; index++, at++) {
        const { status, error, redirected } = items[at]!;
        const verdict = classifyItem(status, error, redirected);
        if (verdict === "stored") continue;
        if (verdict !== "conflict") {
          failed.set(at, verdict);
          if (status === 429 && isTooLargeItself(verdict.reason)) tooLarge++;
        } else if (repeat) repeated++;
        else conflicts.push({ at, batch, index, held: typeof error?.index === "string" ? error.index : undefined });
      }
    }
    // What one shard is to take at once is above its limit, however often it is sent.
    if (tooLarge === items.length) return { refused: failed.get(0)!.reason };
    if (conflicts.length > 0) {
      repeated += await resolveConflicts(conflicts, this.#client, this.#builder, now, failed, signal);
    }
    return { ...(failed.size > 0 && { failed }), ...(repeated > 0 && { repeated }) };
  }
}
