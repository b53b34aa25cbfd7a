/**
 * From one configuration to another while the agent runs. What can be found wrong is found before anything is touched; then the parts that
 * changed are exchanged one by one, those that did not go on undisturbed. The queue stays, so an exchanged output goes on at its cursor and
 * an exchanged input at its positions.
 */
import type { ResolvedConfig, ResolvedOutput } from "../api/config.ts";
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
    if (this.#problems.length > 0) return { applied: false, changes, kept, problems: this.#problems };
    this.#pipeline.config = next;
    const of = (kind: Difference["kind"], ...which: Difference["change"][]) =>
      changes.filter((c) => c.kind === kind && which.includes(c.change)).map(({ name }) => name);
    await this.#exchangeLanes(of("output", "removed", "changed"), of("output", "added", "changed"));
    await this.#endFeeds(of("input", "removed", "changed"));
    await this.#exchangeLinks(next);
    await this.#beginFeeds(of("input", "added", "changed"));
    await this.#pipeline.findOrphans();
    for (const name of service.later) this.#problems.push(`service.${name} takes effect at the next start`);
    return { applied: true, changes, kept, problems: this.#problems };
  }

  /** Everything that can be known before: each part that is new can be made, and each destination that is new takes entries. */
  async #check(next: ResolvedConfig, changes: readonly Difference[]): Promise<void> {
    const isNew = (kind: Difference["kind"], alias: string) =>
      changes.some((c) => c.kind === kind && c.name === alias && c.change !== "removed");
    const attempt = async (what: string, work: () => Promise<void>) => {
      await work().catch((error: unknown) => this.#problems.push(`${what}: ${messageOf(error)}`));
    };
    for (const filter of next.filters.filter(({ alias }) => isNew("filter", alias))) {
      await attempt(`filter ${filter.alias}`, async () => {
        this.#links.set(filter.alias, await makeLink(filter, this.#pipeline.around));
      });
    }
    for (const input of next.inputs.filter(({ alias }) => isNew("input", alias))) {
      await attempt(`input ${input.alias}`, async () => (await makeFeed(input, this.#pipeline.around)).close());
    }
    const outputs = next.outputs.filter(({ alias }) => isNew("output", alias));
    await Promise.all(outputs.map((output) => attempt(`output ${output.alias}`, () => this.#ask(output))));
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
    const { lanes, config } = this.#pipeline;
    const before = new Map(lanes);
    await Promise.all(
      ending.map(async (alias) => {
        const { part } = lanes.get(alias)!;
        // What is under way ends: cut off, it could arrive twice where the destination cannot tell.
        part.health.hold("the configuration is exchanged");
        await part.health.quiet(AbortSignal.timeout(QUIET_MS));
        await part
          .close()
          .catch((error: unknown) => this.#problems.push(`output ${alias}: closing: ${messageOf(error)}`));
        lanes.delete(alias);
      }),
    );
    for (const output of config.outputs.filter(({ alias }) => beginning.includes(alias))) {
      const { alias } = output;
      try {
        void (await this.#pipeline.addLane(output)).run();
      } catch (error) {
        const old = before.get(alias);
        this.#problems.push(`output ${alias}: ${messageOf(error)}${old ? "; it goes on as it was" : ""}`);
        if (old) void (await this.#pipeline.addLane(old.config)).run();
      }
    }
    reorder(lanes, config.outputs);
  }

  /** A last sweep of their sources, where the queue takes what they find. */
  async #endFeeds(ending: readonly string[]): Promise<void> {
    const { feeds } = this.#pipeline;
    await Promise.all(
      ending.map(async (alias) => {
        const { part } = feeds.get(alias)!;
        part.stop();
        await part.ended(AbortSignal.timeout(QUIET_MS));
        await part
          .close()
          .catch((error: unknown) => this.#problems.push(`input ${alias}: closing: ${messageOf(error)}`));
        feeds.delete(alias);
      }),
    );
  }

  async #beginFeeds(beginning: readonly string[]): Promise<void> {
    const { feeds, config } = this.#pipeline;
    for (const input of config.inputs.filter(({ alias }) => beginning.includes(alias))) {
      try {
        this.#pipeline.run(await this.#pipeline.addFeed(input));
      } catch (error) {
        this.#problems.push(`input ${input.alias}: ${messageOf(error)}`);
      }
    }
    reorder(feeds, config.inputs);
  }

  /** Between two batches, when what the filters have made of the last is in the queue: there their state is found again. */
  async #exchangeLinks(next: ResolvedConfig): Promise<void> {
    const { links, feeds, around, config } = this.#pipeline;
    const order = next.filters.map(({ alias }) => alias);
    if (this.#links.size === 0 && [...links.keys()].join("\n") === order.join("\n")) return;
    const running = [...feeds.values()].map(({ part }) => part);
    try {
      const limit = AbortSignal.timeout(QUIET_MS);
      const held = await Promise.all([this.#pipeline.holdTicks(limit), ...running.map((feed) => feed.hold(limit))]);
      if (held.includes(false)) {
        this.#problems.push(
          "the filters stay as they were, because the queue takes nothing now: reload again when it does",
        );
        this.#pipeline.config = { ...config, filters: [...links.values()].map((live) => live.config) };
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
