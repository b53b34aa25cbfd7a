/**
 * From one configuration to another while the agent runs. What can be found wrong is found before anything is touched; then the parts that
 * changed are exchanged one by one, those that did not go on undisturbed. The queue stays, so an exchanged output goes on at its cursor and
 * an exchanged input at its positions.
 */
import type { ResolvedConfig, ResolvedOutput } from "../api/config.ts";
import { isObjects } from "../api/plugin.ts";
import type { ChainLink } from "./chain.ts";
import { type Difference, differences, made, serviceDifferences } from "./differences.ts";
import { fieldsOf } from "./fields.ts";
import { messageOf } from "./lane.ts";
import { contextOf, makeFeed, makeLink, restoreLink } from "./parts.ts";
import type { LiveLink, Pipeline } from "./pipeline.ts";
import { probeOutput } from "./probe.ts";

export interface ExchangeOptions {
  /** Do not ask the destinations that are new or changed. */
  readonly unprobed: boolean;
}

export interface Exchanged {
  readonly applied: boolean;
  readonly changes: readonly Difference[];
  /** Parts that go on as they were. */
  readonly kept: number;
  /** Why nothing was applied; else what could not be, or only at the next start. */
  readonly problems: readonly string[];
}

/** How long what is under way in a part that goes may take to end. Milliseconds. */
const QUIET_MS = 10_000;
/** How long reading may take to pause. Milliseconds. */
const HOLD_MS = 2_000;

export class Exchange {
  readonly #pipeline: Pipeline;
  readonly #options: ExchangeOptions;
  readonly #problems: string[] = [];
  /** Links of filters that are new or changed, by alias. */
  readonly #links = new Map<string, ChainLink>();

  constructor(pipeline: Pipeline, options: ExchangeOptions) {
    this.#pipeline = pipeline;
    this.#options = options;
  }

  async to(next: ResolvedConfig): Promise<Exchanged> {
    const { feeds, links, lanes, config, around } = this.#pipeline;
    const service = serviceDifferences(config.service, next.service);
    const changes: Difference[] = [
      ...differences("input", feeds, next.inputs),
      ...differences("filter", links, next.filters),
      ...differences("output", lanes, next.outputs),
      ...service.changed.map((name): Difference => ({ kind: "service", name, change: "changed" })),
    ];
    const parts = next.inputs.length + next.filters.length + next.outputs.length;
    const fresh = changes.filter(({ kind, change }) => kind !== "service" && change !== "removed").length;
    const kept = parts - fresh;
    around.fields.grow(fieldsOf(next));
    await this.#check(next, changes);
    if (this.#pipeline.stopping.aborted) this.#problems.push("the agent is stopping");
    if (this.#problems.length > 0) return { applied: false, changes, kept, problems: this.#problems };
    this.#pipeline.config = next;
    const of = (kind: Difference["kind"], ...which: Difference["change"][]) =>
      changes.filter((c) => c.kind === kind && which.includes(c.change)).map(({ name }) => name);
    await this.#exchangeLanes(of("output", "removed", "changed"), [
      ...of("output", "changed"),
      ...of("output", "added"),
    ]);
    const ended = await this.#endFeeds(of("input", "removed", "changed"));
    await this.#step("filters", () => this.#exchangeLinks(next));
    await this.#beginFeeds([
      ...ended.filter((alias) => next.inputs.some((input) => input.alias === alias)),
      ...of("input", "added"),
    ]);
    await this.#step("orphans", () => this.#pipeline.findOrphans());
    for (const name of service.later) this.#problems.push(`service.${name} takes effect at the next start`);
    return { applied: true, changes, kept, problems: this.#problems };
  }

  /** Once something is exchanged, what fails is told, and the rest goes on. */
  async #step(what: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch (error) {
      this.#problems.push(`${what}: ${messageOf(error)}`);
      return false;
    }
  }

  /** Aborts after so many milliseconds, or when the agent is to stop. */
  #within(ms: number): AbortSignal {
    return AbortSignal.any([AbortSignal.timeout(ms), this.#pipeline.stopping]);
  }

  /** Everything that can be known before: each part that is new can be made, and each destination that is new takes entries. */
  async #check(next: ResolvedConfig, changes: readonly Difference[]): Promise<void> {
    const isNew = (kind: Difference["kind"], alias: string) =>
      changes.some((c) => c.kind === kind && c.name === alias && c.change !== "removed");
    const { blocked } = this.#pipeline.around.store.queue.stats();
    if (blocked && changes.some(({ kind, change }) => kind === "output" && change === "added")) {
      this.#problems.push(`an output cannot be added while the queue takes nothing: ${blocked.why}`);
    }
    for (const filter of next.filters.filter(({ alias }) => isNew("filter", alias))) {
      await this.#step(`filter ${filter.alias}`, async () => {
        this.#links.set(filter.alias, await makeLink(filter, this.#pipeline.around));
      });
    }
    for (const input of next.inputs.filter(({ alias }) => isNew("input", alias))) {
      await this.#step(`input ${input.alias}`, async () => (await makeFeed(input, this.#pipeline.around)).close());
    }
    const outputs = next.outputs.filter(({ alias }) => isNew("output", alias));
    await Promise.all(outputs.map((output) => this.#step(`output ${output.alias}`, () => this.#ask(output))));
  }

  async #ask(output: ResolvedOutput): Promise<void> {
    const context = contextOf(output.alias, this.#pipeline.around);
    if (this.#options.unprobed) {
      await (await output.definition.create(output.options, context)).close();
      return;
    }
    const problem = await probeOutput(output, context);
    if (problem !== undefined) throw new Error(problem);
  }

  async #exchangeLanes(ending: readonly string[], beginning: readonly string[]): Promise<void> {
    const { lanes, feeds, config } = this.#pipeline;
    if (ending.length === 0 && beginning.length === 0) return;
    const before = new Map(lanes);
    const objects = ending.filter((alias) => isObjects(lanes.get(alias)!.config.definition));
    const reading = objects.length > 0 ? [...feeds.values()].map(({ part }) => part) : [];
    try {
      // Nobody but the lane that began them knows which objects are written already: what is open is written before it goes, and nothing
      // comes meanwhile.
      await Promise.all(reading.map((feed) => feed.hold(this.#within(HOLD_MS))));
      await Promise.all(objects.map((alias) => lanes.get(alias)!.part.drained(this.#within(QUIET_MS))));
      await Promise.all(ending.map((alias) => this.#endLane(alias)));
    } finally {
      for (const feed of reading) feed.release();
    }
    for (const alias of beginning) {
      if (this.#pipeline.stopping.aborted) break;
      const output = config.outputs.find((one) => one.alias === alias)!;
      const begun = await this.#step(`output ${alias}`, async () => void (await this.#pipeline.addLane(output)).run());
      const old = before.get(alias);
      if (begun || old === undefined) continue;
      const again = async () => void (await this.#pipeline.addLane(old.config)).run();
      if (await this.#step(`output ${alias}, as it was`, again))
        this.#problems.push(`output ${alias} goes on as it was`);
    }
    reorder(lanes, config.outputs);
  }

  /** What is under way ends: cut off, it could arrive twice where the destination cannot tell. */
  async #endLane(alias: string): Promise<void> {
    const { lanes } = this.#pipeline;
    const { part, config } = lanes.get(alias)!;
    part.health.hold("the configuration is exchanged", "exchange");
    await part.health.quiet(this.#within(Math.max(QUIET_MS, config.common.timeout ?? 0)));
    await this.#step(`output ${alias}: closing`, () => part.close());
    lanes.delete(alias);
  }

  /** A last sweep of their sources. Answers which have ended: one whose last batch the queue does not take stays as it is. */
  async #endFeeds(ending: readonly string[]): Promise<string[]> {
    const { feeds, around } = this.#pipeline;
    const ended: string[] = [];
    if (ending.length === 0) return ended;
    const { blocked } = around.store.queue.stats();
    if (blocked) {
      this.#stays(ending, blocked.why);
      return ended;
    }
    await Promise.all(
      ending.map(async (alias) => {
        const { part } = feeds.get(alias)!;
        part.stop();
        await part.ended(this.#within(QUIET_MS));
        // What is on its way into the queue has to be there before another reads on behind it.
        if (!(await part.hold(this.#within(QUIET_MS)))) {
          part.release();
          this.#pipeline.succeed(alias);
          this.#problems.push(`input ${alias} begins anew as soon as its last batch is in the queue`);
          return;
        }
        await this.#step(`input ${alias}: closing`, () => part.close());
        feeds.delete(alias);
        ended.push(alias);
      }),
    );
    return ended;
  }

  #stays(aliases: readonly string[], why: string): void {
    for (const alias of aliases) {
      this.#problems.push(
        `input ${alias} stays as it was, because the queue takes nothing now (${why}): reload again when it does`,
      );
    }
  }

  async #beginFeeds(beginning: readonly string[]): Promise<void> {
    const { feeds, config } = this.#pipeline;
    for (const input of config.inputs.filter(({ alias }) => beginning.includes(alias))) {
      if (this.#pipeline.stopping.aborted) return;
      const begun = await this.#step(`input ${input.alias}`, async () =>
        this.#pipeline.run(await this.#pipeline.addFeed(input)),
      );
      if (!begun) this.#pipeline.cripple();
    }
    reorder(feeds, config.inputs);
  }

  /** Between two batches, when what the filters have made of the last is in the queue: there their state is found again. */
  async #exchangeLinks(next: ResolvedConfig): Promise<void> {
    const { links, feeds, around } = this.#pipeline;
    const order = next.filters.map(({ alias }) => alias);
    if (this.#links.size === 0 && [...links.keys()].join("\n") === order.join("\n")) return;
    const running = [...feeds.values()].map(({ part }) => part);
    try {
      const limit = this.#within(QUIET_MS);
      const held = await Promise.all([this.#pipeline.holdTicks(limit), ...running.map((feed) => feed.hold(limit))]);
      if (held.includes(false)) {
        this.#problems.push(
          "the filters stay as they were, because the queue takes nothing now: reload again when it does",
        );
        return;
      }
      const fresh = next.filters.map((filter): LiveLink => {
        const link = this.#links.get(filter.alias);
        if (link === undefined) return links.get(filter.alias)!;
        restoreLink(link, around);
        return { ...made(filter), part: link };
      });
      links.clear();
      for (const link of fresh) links.set(link.config.alias, link);
      around.chain.replace(fresh.map(({ part }) => part));
    } finally {
      for (const feed of running) feed.release();
      this.#pipeline.releaseTicks();
    }
  }
}

/** As they stand in the configuration: that is how people look for them. */
function reorder<V>(parts: Map<string, V>, order: readonly { readonly alias: string }[]): void {
  for (const { alias } of order) {
    const part = parts.get(alias);
    if (part === undefined) continue;
    parts.delete(alias);
    parts.set(alias, part);
  }
}
