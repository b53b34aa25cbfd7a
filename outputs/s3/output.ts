import { createHash } from "node:crypto";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, ObjectOutput, ObjectPlan, WriteResult } from "../../agent/api/output.ts";
import { TimeKind, View } from "../../agent/api/view.ts";
import { Encoder } from "../shared/encode.ts";
import type { Identity } from "./about.ts";
import { contentOf, partsOf } from "./content.ts";
import { besides, type KeyTemplate, keyTemplate, MAX_KEY_BYTES } from "./key.ts";
import type { S3Options } from "./options.ts";
import { Store, TakenError } from "./store.ts";

/** Stands for tag and record ids in the key of a probe, under which nothing is ever stored. */
const PROBE = "audit-agent-probe";
/** Keys tried beside one that other content stands under. */
const MAX_BESIDES = 9;
/** A partition may have 512 bytes: so many characters of a tag, each of three bytes at most, and a hash. */
const MAX_TAG = 128;

interface Sent {
  /** Of the content, uncompressed. */
  readonly sha256: string;
  /** All of the object, where it fits into one part. */
  readonly whole: Buffer | undefined;
}

export class S3Output implements ObjectOutput {
  readonly #options: S3Options;
  readonly #context: OutputContext;
  readonly #template: KeyTemplate;
  readonly #view: View;
  readonly #encoder: Encoder;
  readonly #store: Store;
  /** What the last attempt was to send, where it failed. */
  #tried: { readonly of: string; readonly sent: Sent } | undefined;
  /** Bytes the next object may have, compressed. */
  #likely = 1024 * 1024;
  #stretch = Number.NaN;
  #tag = "";
  #group = "";
  #partition = "";

  constructor(options: S3Options, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    const { fields, emit, alias } = context;
    this.#template = keyTemplate({
      format: options.s3_key_format,
      compression: options.compression,
      zone: options.time_zone,
      delimiters: options.s3_key_format_tag_delimiters,
    });
    this.#view = new View(fields);
    const nonFinite = options.format === "original" ? "keep" : "null";
    this.#encoder = new Encoder({ fields, format: options.format, nonFinite, emit, alias });
    this.#store = new Store(options, context);
  }

  partition(batch: RecordBatch, index: number): string {
    const { period, clock } = this.#template;
    const stretch = period === Infinity ? 0 : Math.floor(clock(this.#time(batch, index)) / period);
    // An object of originals is evidence: it holds the chain of one log.
    const group = this.#options.format === "original" ? batch.source.group : "";
    if (stretch !== this.#stretch || batch.tag !== this.#tag || group !== this.#group) {
      this.#stretch = stretch;
      this.#tag = batch.tag;
      this.#group = group;
      const from = period === Infinity ? "" : `${new Date(stretch * period).toISOString().slice(0, 13)} `;
      const of = group === "" ? "" : ` ${createHash("sha256").update(group).digest("base64url").slice(0, 16)}`;
      this.#partition = `${from}${partitionTag(batch.tag)}${of}`;
    }
    return this.#partition;
  }

  async writeObject(batches: AsyncIterable<RecordBatch>, plan: ObjectPlan, signal: AbortSignal): Promise<WriteResult> {
    try {
      signal.throwIfAborted();
      const first = await firstOf(batches);
      if (first === undefined) return {};
      const { tag } = first;
      const ms = this.#time(first, 0);
      const key = this.#template.render({
        tag,
        ms,
        node: this.#context.node,
        plan: plan.id,
        first: plan.first,
        last: plan.last,
      });
      if (Buffer.byteLength(key) > MAX_KEY_BYTES) {
        return { blocked: `the key would be longer than ${MAX_KEY_BYTES} bytes: shorten s3_key_format` };
      }
      const result = await this.#upload(batches, key, plan, signal);
      if (result.blocked === undefined) this.#tried = undefined;
      return result;
    } catch (error) {
      if (signal.aborted) throw error;
      const { kind, reason, pauseMs } = this.#store.connection.failure(error);
      if (kind === "operator" || kind === "too_large") return { blocked: reason };
      if (kind === "throttled") {
        const failed = new Map<number, Failure>([[0, { action: "retry", reason }]]);
        return { failed, ...(pauseMs !== undefined && { pauseMs }) };
      }
      throw new Error(reason);
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    const { node, clock } = this.#context;
    const name = { tag: PROBE, node, ms: clock.now(), first: PROBE, last: PROBE, plan: "" };
    try {
      await this.#store.probe(this.#template.render(name), signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error(`bucket ${this.#options.bucket}: ${this.#store.connection.failure(error).reason}`);
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  /** Under the key, or beside it where something else has it. */
  async #upload(
    batches: AsyncIterable<RecordBatch>,
    key: string,
    plan: ObjectPlan,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const repeated = { repeated: plan.records };
    const sent = await this.#sentOf(batches, plan, signal);
    // Begun before: a look is cheaper than an upload that turns out to have been made. Only equal content proves it: plans are numbered
    // anew in every data directory.
    if (plan.repeat && (await this.#store.glance(key, signal))?.sha256 === sent.sha256) return repeated;
    const identity: Identity = { plan: plan.id, sha256: sent.sha256, records: plan.records };
    for (let number = 0; number <= MAX_BESIDES; number++) {
      const name = besides(key, number);
      try {
        if (sent.whole !== undefined) await this.#store.put(name, sent.whole, identity, signal);
        else {
          if (plan.repeat) await this.#store.abandon(name, signal);
          const { pieces } = this.#content(batches, signal);
          await this.#store.putParts(name, partsOf(pieces, this.#options.part_size), identity, signal);
        }
        return {};
      } catch (error) {
        if (!(error instanceof TakenError)) throw error;
      }
      const there = await this.#store.identityOf(name, signal);
      if (there === undefined) throw new Error(`the object ${name} was there a moment ago, and is not any more`);
      if (there.sha256 === identity.sha256) return repeated;
      this.#context.emit({
        is: "key_conflict",
        output: this.#context.alias,
        key: name,
        next: besides(key, number + 1),
      });
    }
    return { blocked: `other content stands under ${key} and ${MAX_BESIDES} names beside it` };
  }

  /** Read and compressed once for all attempts: a day's outage costs no CPU. */
  async #sentOf(batches: AsyncIterable<RecordBatch>, plan: ObjectPlan, signal: AbortSignal): Promise<Sent> {
    const of = `${plan.id} ${plan.first} ${plan.last} ${plan.records}`;
    if (this.#tried?.of !== of) {
      this.#tried = undefined;
      this.#tried = { of, sent: await this.#read(batches, signal) };
    }
    return this.#tried.sent;
  }

  async #read(batches: AsyncIterable<RecordBatch>, signal: AbortSignal): Promise<Sent> {
    const { pieces, sha256 } = this.#content(batches, signal);
    const { part_size } = this.#options;
    let whole: Buffer | undefined = Buffer.alloc(0);
    for await (const part of partsOf(pieces, part_size, this.#likely)) {
      whole = part.length < part_size ? part : undefined;
      // With some room, so that the next one seldom has to grow.
      this.#likely = Math.ceil(part.length * 1.25);
      break;
    }
    return { sha256: await sha256(), whole };
  }

  #content(batches: AsyncIterable<RecordBatch>, signal: AbortSignal) {
    const { compression: method, compression_level: level } = this.#options;
    return contentOf(batches, this.#encoder, { method, level }, signal);
  }

  #time(batch: RecordBatch, index: number): number {
    const time = this.#view.time(batch, index);
    return time.kind === TimeKind.exact ? time.ms : batch.readTime;
  }
}

/** Long tags are told apart by their hash. */
function partitionTag(tag: string): string {
  if (tag.length <= MAX_TAG) return tag;
  return `${tag.slice(0, MAX_TAG)}~${createHash("sha256").update(tag).digest("base64url").slice(0, 16)}`;
}

async function firstOf(batches: AsyncIterable<RecordBatch>): Promise<RecordBatch | undefined> {
  for await (const batch of batches) if (batch.count > 0) return batch;
  return undefined;
}
