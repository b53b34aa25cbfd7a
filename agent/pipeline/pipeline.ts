import type { ResolvedConfig, ResolvedFilter, ResolvedInput, ResolvedOutput } from "../api/config.ts";
import type { PipelineStatus } from "../api/status.ts";
import type { Orphan } from "../queue/types.ts";
import type { ChainLink } from "./chain.ts";
import { type Made, made } from "./differences.ts";
import type { Feed } from "./feed.ts";
import { type Lane, messageOf } from "./lane.ts";
import { dropOrphan, settleOrphans } from "./orphans.ts";
import { OwnRecords } from "./own-records.ts";
import { makeFeed, makeLink, openLane, restoreLink, type Surroundings } from "./parts.ts";
import { Exchange, type Exchanged, type ExchangeOptions } from "./reload.ts";
import type { Shutdown } from "./shutdown.ts";
import { statusOf } from "./status.ts";
import { tickEvery } from "./tick.ts";
import { LONGEST_TIMER_MS, orAbort } from "./waiting.ts";

export interface LivePart<Config, Part> extends Made<Config> {
  readonly part: Part;
}
export type LiveFeed = LivePart<ResolvedInput, Feed>;
export type LiveLink = LivePart<ResolvedFilter, ChainLink>;
export type LiveLane = LivePart<ResolvedOutput, Lane>;

/** The parts that run now. A reload exchanges some of them; what they stand on (queue, dead letters, data directory) stays. */
export class Pipeline {
  readonly around: Surroundings;
  readonly feeds = new Map<string, LiveFeed>();
  readonly links = new Map<string, LiveLink>();
  readonly lanes = new Map<string, LiveLane>();
  config: ResolvedConfig;
  readonly #shutdown: Shutdown;
  readonly #own: OwnRecords;
  readonly #startedAt: number;
  /** Held by an operator: by alias, and why. */
  readonly #paused = new Map<string, string>();
  readonly #running = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  readonly #asked = new AbortController();
  readonly #succeeding = new Set<string>();
  /** A part that the configuration wants is missing. */
  #crippled = false;
  #orphans: readonly Orphan[] = [];
  #ticked: Promise<void> = Promise.resolve();
  #ticksHeld = false;
  /** What only one may do at a time: reloads, and giving up backlogs. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #ticking: { stop(): void }[] = [];
  #stopping: Promise<void> | undefined;
  #fed: Promise<void> = Promise.resolve();
  #done: Promise<void> = Promise.resolve();

  constructor(config: ResolvedConfig, around: Surroundings, shutdown: Shutdown) {
    this.config = config;
    this.around = around;
    this.#shutdown = shutdown;
    this.#own = new OwnRecords(around.store.dataDir.id);
    this.#startedAt = around.clock.now();
  }

  /** Makes every part. Throws where one cannot be made: `release` then closes the others. */
  async open(): Promise<void> {
    const { around, config } = this;
    for (const filter of config.filters) {
      const link = await makeLink(filter, around);
      restoreLink(link, around);
      this.links.set(filter.alias, { ...made(filter), part: link });
    }
    around.chain.replace([...this.links.values()].map(({ part }) => part));
    for (const output of config.outputs) await this.addLane(output);
    await this.findOrphans();
    for (const input of config.inputs) await this.addFeed(input);
  }

  start(): void {
    const turn = async () => {
      if (!this.#ticksHeld) this.#ticked = this.#tick();
      await this.#ticked;
    };
    const complain = (error: unknown) => this.#complain(error);
    this.#ticking.push(tickEvery(1_000, turn, complain));
    // What nobody takes grows all the same. Apart from the filters, which must not wait for a reload.
    this.#ticking.push(tickEvery(1_000, () => this.alone(() => this.#countOrphans()), complain));
    for (const { part } of this.lanes.values()) void part.run();
    for (const { part } of this.feeds.values()) this.run(part);
    this.#fed = this.#inputsEnd().then(() =>
      // Where the inputs were stopped there is more to come, at the next start.
      this.#tick(this.#stopping ? undefined : Number.POSITIVE_INFINITY).catch((error: unknown) =>
        this.#complain(error),
      ),
    );
    // The queue refuses only where it is being closed: then there is nothing more to wait for.
    this.#done = this.#fed.then(() => this.#settled()).catch(() => {});
  }

  /** Resolves when all inputs have ended and everything is settled. */
  get done(): Promise<void> {
    return this.#done;
  }

  /** Aborts when the agent is to stop. */
  get stopping(): AbortSignal {
    return this.#asked.signal;
  }

  get failed(): boolean {
    return this.#crippled || [...this.feeds.values()].some(({ part }) => part.failed);
  }

  status(): PipelineStatus {
    return statusOf(this, this.#startedAt, this.#orphans);
  }

  /** Everything of one kind of work after the other. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#turn.then(work);
    this.#turn = next.catch(() => undefined);
    return next;
  }

  reload(config: ResolvedConfig, options: ExchangeOptions): Promise<Exchanged> {
    return this.alone(async () => {
      if (this.#stopping) throw new Error("the agent is stopping");
      return new Exchange(this, options).to(config);
    });
  }

  /** Holds an output, or lets it go on where there is no reason. False where there is none of that name. */
  pause(alias: string, reason: string | undefined): Promise<boolean> {
    return this.alone(async () => {
      const lane = this.lanes.get(alias)?.part;
      if (lane === undefined) return false;
      if (reason === undefined) {
        this.#paused.delete(alias);
        lane.health.release();
      } else {
        this.#paused.set(alias, reason);
        lane.health.hold(reason);
      }
      return true;
    });
  }

  /** An entry of the agent's own. Resolves when it is on disk, also where the queue is full: it goes into the reserve. */
  async record(tag: string, entry: object): Promise<void> {
    const { clock, chain, emit, taps } = this.around;
    const { batch, extra } = chain.own(this.#own.make(tag, entry, clock.now()));
    emit({ is: "created", by: "agent", records: 1, reason: tag });
    if (taps.open) taps.tell(batch);
    const { queue } = this.around.store;
    await queue.append(batch, { ...extra, urgent: () => true });
    await queue.flush();
  }

  async dropOrphan(alias: string): Promise<Orphan | undefined> {
    return this.alone(async () => {
      const { store, emit } = this.around;
      const orphan = (await store.queue.orphans()).find((one) => one.alias === alias);
      if (orphan === undefined) return undefined;
      await dropOrphan(store.queue, orphan, "given up by an operator", emit);
      this.#orphans = this.#orphans.filter((one) => one.alias !== alias);
      return orphan;
    });
  }

  async addLane(config: ResolvedOutput): Promise<Lane> {
    const lane = await openLane(config, this.around);
    const reason = this.#paused.get(config.alias);
    if (reason !== undefined) lane.health.hold(reason);
    this.lanes.set(config.alias, { ...made(config), part: lane });
    return lane;
  }

  async addFeed(config: ResolvedInput): Promise<Feed> {
    const feed = await makeFeed(config, this.around);
    this.feeds.set(config.alias, { ...made(config), part: feed });
    return feed;
  }

  /** Begins an input as it is configured by now, when the one before has ended: its last batch is still on its way into the queue. */
  succeed(alias: string): void {
    if (this.#succeeding.has(alias)) return;
    this.#succeeding.add(alias);
    const { part } = this.feeds.get(alias)!;
    const begin = async () => {
      this.#succeeding.delete(alias);
      if (this.#asked.signal.aborted) return;
      await part.close();
      this.feeds.delete(alias);
      const config = this.config.inputs.find((input) => input.alias === alias);
      if (config) this.run(await this.addFeed(config));
    };
    const later: Promise<void> = part
      .ended(this.#asked.signal)
      .then(() => this.alone(begin))
      .catch((error: unknown) => {
        this.#complain(error);
        this.cripple();
      })
      .finally(() => this.#running.delete(later));
    this.#running.add(later);
  }

  /** An input could not be made again. */
  cripple(): void {
    this.#crippled = true;
  }

  async findOrphans(): Promise<void> {
    const { store, emit } = this.around;
    this.#orphans = await settleOrphans(store.queue, this.config.service.orphans, emit);
  }

  run(feed: Feed): void {
    const running = feed.run().finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Until no input runs, and none is being exchanged for another. */
  async #inputsEnd(): Promise<void> {
    while (this.#running.size > 0) {
      await Promise.all(this.#running);
      await this.#turn;
    }
  }

  /** The filters are not called of themselves until `releaseTicks`; false where what they made last is not in the queue in time. */
  async holdTicks(signal: AbortSignal): Promise<boolean> {
    this.#ticksHeld = true;
    return orAbort(this.#ticked, signal).then(
      () => true,
      () => !signal.aborted,
    );
  }

  releaseTicks(): void {
    this.#ticksHeld = false;
  }

  /** Until every lane there is has settled everything: one that is exchanged meanwhile ends, and leaves its backlog to another. */
  async #settled(): Promise<void> {
    const { signal } = this.#closing;
    if (!signal.aborted) await this.around.store.queue.flush();
    while (!signal.aborted) {
      const lanes = [...this.lanes.values()];
      await Promise.all(lanes.map(({ part }) => part.settled(signal)));
      await this.#turn;
      const now = [...this.lanes.values()];
      if (now.length === lanes.length && now.every((live, i) => live === lanes[i])) return;
    }
  }

  async #tick(now = this.around.clock.monotonic()): Promise<void> {
    const { chain, store } = this.around;
    await Promise.all(chain.tick(now).map(({ batch, extra }) => store.queue.append(batch, extra)));
  }

  async #countOrphans(): Promise<void> {
    if (this.#orphans.length > 0) this.#orphans = await this.around.store.queue.orphans();
  }

  #complain(error: unknown): void {
    this.around.emit({ is: "notice", level: "error", component: "filters", message: messageOf(error) });
  }

  /** Last sweep, queue fsynced, lanes a bounded time, cursors stored. May be called more than once. */
  stop(): Promise<void> {
    this.#asked.abort();
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    for (const ticking of this.#ticking) ticking.stop();
    try {
      await this.#drain();
    } finally {
      this.#closing.abort();
      await this.release();
    }
  }

  async #drain(): Promise<void> {
    const grace = AbortSignal.timeout(Math.min(this.config.service.shutdown_timeout, LONGEST_TIMER_MS));
    const late = new Promise<void>((resolve) => grace.addEventListener("abort", () => resolve(), { once: true }));
    const { queue } = this.around.store;
    // A reload that is under way comes to its end first.
    await Promise.race([this.#turn, late]);
    for (const { part } of this.feeds.values()) part.stop();
    await Promise.race([this.#fed, late]);
    await Promise.race([queue.flush().catch(() => {}), late]);
    await Promise.all([...this.lanes.values()].map(({ part }) => part.drained(grace)));
  }

  /** Closes every part, and what they stand on. */
  async release(): Promise<void> {
    for (const { part } of [...this.feeds.values(), ...this.lanes.values()]) this.#shutdown.first(() => part.close());
    await this.#shutdown.run();
  }
}
