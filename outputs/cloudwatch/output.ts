import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import type { Failure, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { bodyPool } from "../shared/bodies.ts";
import { EventGatherer } from "./events.ts";
import type { CloudwatchOptions } from "./options.ts";
import { LogService } from "./service.ts";
import { shipStream, type Trouble } from "./stream.ts";
import { Turns } from "./turns.ts";

/** Streams written to at a time; the requests of one stream follow one another. */
const PARALLEL = 4;
/**
 * So long a write begins with further streams, if some are done: one with thousands of them would never be done within its time-out, and
 * begin anew for ever.
 */
const ENOUGH_MS = 10_000;
/** So many streams that an operator has to see to, and none that works: the others are not asked. */
const ENOUGH_TROUBLES = 20;

export class CloudwatchOutput implements Output {
  readonly #options: CloudwatchOptions;
  readonly #context: OutputContext;
  readonly #service: LogService;
  readonly #gatherer: EventGatherer;
  /** Of streams, through all writes. */
  readonly #turns = new Turns();

  constructor(options: CloudwatchOptions, context: OutputContext) {
    this.#options = options;
    this.#context = context;
    this.#service = new LogService(options, context);
    this.#gatherer = new EventGatherer(options, context);
  }

  async write(batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted();
    const { clock } = this.#context;
    const until = clock.monotonic() + ENOUGH_MS;
    const failed = new Map<number, Failure>();
    const writer = bodyPool.take();
    const { targets, text } = this.#gatherer.gather(batches, writer, failed);
    const lateMs = this.#options.out_of_range === "read_time" ? clock.now() : undefined;
    const shipping = { service: this.#service, text, signal, failed, lateMs };
    const troubles: Trouble[] = [];
    let done = 0;
    let left: Failure | undefined;
    const next = targets[Symbol.iterator]();
    const work = async () => {
      for (let turn = next.next(); !turn.done; turn = next.next()) {
        const target = turn.value;
        if (done > 0 && clock.monotonic() > until)
          left ??= { action: "retry", reason: `${targets.length} streams in one write: the rest follows` };
        left ??= forAll(troubles, done);
        if (left !== undefined) {
          for (const { at } of target.events) failed.set(at, left);
          continue;
        }
        const key = `${target.group}\n${target.stream}`;
        const trouble = await this.#turns.run(key, signal, () => shipStream(target, shipping));
        if (trouble) troubles.push(trouble);
        else done++;
      }
    };
    await Promise.all(Array.from({ length: Math.min(PARALLEL, targets.length) }, work));
    // Not where one of them has thrown: others may still be at work with it.
    bodyPool.give(writer);
    const pauseMs = Math.max(0, ...troubles.map((trouble) => trouble.pauseMs ?? 0));
    return { ...(failed.size > 0 && { failed }), ...(pauseMs > 0 && { pauseMs }) };
  }

  probe(signal: AbortSignal): Promise<void> {
    return this.#service.probe(signal);
  }

  close(): Promise<void> {
    return this.#service.close();
  }
}

/** What of the streams asked says enough about those not asked yet. */
function forAll(troubles: readonly Trouble[], done: number): Failure | undefined {
  // The quota is the account's, and an outage everybody's.
  const passing = troubles.find(({ kind }) => kind !== "operator");
  if (passing) return { action: "retry", reason: passing.reason };
  return done === 0 && troubles.length >= ENOUGH_TROUBLES
    ? { action: "block", reason: troubles[0]!.reason }
    : undefined;
}
