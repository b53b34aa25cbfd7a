import type { Clock } from "../api/clock.ts";
import type { ComponentState, Emit } from "../api/events.ts";
import type { Input } from "../api/input.ts";
import type { ComponentStatus } from "../api/status.ts";
import type { Queue } from "../queue/types.ts";
import type { FilterChain } from "./chain.ts";
import { messageOf } from "./lane.ts";

/** Pulls one input through the filters into the queue. Each input has its own feed: one that ends or waits does not hold the others. */
export class Feed {
  readonly alias: string;
  readonly #plugin: string;
  readonly #input: Input;
  readonly #chain: FilterChain;
  readonly #queue: Queue;
  readonly #clock: Clock;
  readonly #emit: Emit;
  #state: ComponentState = "starting";
  #since: number;
  #reason: string | undefined;
  #stopped = false;

  constructor(alias: string, plugin: string, input: Input, chain: FilterChain, queue: Queue, clock: Clock, emit: Emit) {
    this.alias = alias;
    this.#plugin = plugin;
    this.#input = input;
    this.#chain = chain;
    this.#queue = queue;
    this.#clock = clock;
    this.#emit = emit;
    this.#since = clock.now();
  }

  get failed(): boolean {
    return this.#state === "failed";
  }

  /** Runs until the input ends. Never throws: an input that fails is a state, and the others go on. */
  async run(): Promise<void> {
    const urgent = this.#input.vanishing ? () => this.#input.vanishing!() : undefined;
    this.#become("ok");
    try {
      for await (const batch of this.#input.read()) {
        if (batch.count > 0) this.#emit({ is: "read", input: this.alias, records: batch.count, bytes: batch.size() });
        // Not awaited one by one: what a filter created and the batch it came from are one step in the queue's order.
        const appends = this.#chain
          .process(batch)
          .map(({ batch: out, extra }) => this.#queue.append(out, urgent ? { ...extra, urgent } : extra));
        await Promise.all(appends);
      }
      this.#become("stopped");
    } catch (error) {
      if (this.#stopped) this.#become("stopped");
      else this.#become("failed", messageOf(error));
    }
  }

  /** Asks the input for a last sweep. */
  stop(): void {
    this.#input.stop();
  }

  async close(): Promise<void> {
    this.#stopped = true;
    await this.#input.close();
  }

  status(): ComponentStatus {
    return { alias: this.alias, plugin: this.#plugin, state: this.#state, since: this.#since, reason: this.#reason };
  }

  #become(state: ComponentState, reason?: string): void {
    this.#state = state;
    this.#since = this.#clock.now();
    this.#reason = reason;
    const event = { is: "component", kind: "input", name: this.alias, state } as const;
    this.#emit(reason === undefined ? event : { ...event, reason });
  }
}
