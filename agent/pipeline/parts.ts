/** Makes the parts of a pipeline from its configuration. */
import type { Clock } from "../api/clock.ts";
import { type ResolvedFilter, type ResolvedInput, type ResolvedOutput, tagMatcher } from "../api/config.ts";
import type { OutputContext } from "../api/context.ts";
import type { Emit } from "../api/events.ts";
import type { Scanner } from "../json/scanner.ts";
import type { ChainLink, FilterChain } from "./chain.ts";
import { Feed } from "./feed.ts";
import type { Lane } from "./lane.ts";
import type { Listeners } from "./listeners.ts";
import { makeLane } from "./make-lane.ts";
import type { Store } from "./store.ts";
import type { Taps } from "./taps.ts";

export interface Surroundings {
  readonly store: Store;
  readonly fields: Scanner;
  readonly chain: FilterChain;
  readonly taps: Taps;
  readonly listeners?: Listeners;
  readonly clock: Clock;
  readonly emit: Emit;
  readonly version: string;
  readonly once: boolean;
}

/** As it begins: `restoreLink` gives it back what is stored of it. */
export async function makeLink(config: ResolvedFilter, around: Surroundings): Promise<ChainLink> {
  const { alias, definition, match, options } = config;
  const filter = await definition.create(options, contextOf(alias, around));
  return { alias, matches: tagMatcher(match), filter, drops: definition.drops };
}

/** Only while nothing is on its way into the queue: what is there then is the newest state there is. */
export function restoreLink({ alias, filter }: ChainLink, { store: { queue } }: Surroundings): void {
  for (const [group, state] of queue.states.get(alias) ?? []) filter.restore?.(group, state);
}

export function openLane(config: ResolvedOutput, { store, fields, clock, emit, version }: Surroundings): Promise<Lane> {
  const { queue, deadLetters, dataDir } = store;
  return makeLane(config, { queue, deadLetters, fields, node: dataDir.node, version, clock, emit });
}

export async function makeFeed(config: ResolvedInput, around: Surroundings): Promise<Feed> {
  const { alias, definition, tag, options } = config;
  const { store, chain, taps, listeners, fields, clock, emit, once } = around;
  const input = await definition.create(options, {
    ...contextOf(alias, around),
    tag,
    dataDirId: store.dataDir.id,
    positions: store.queue.positions.get(alias) ?? new Map<string, string>(),
    once,
    ...(listeners ? { events: (listener: Emit) => listeners.add(listener) } : {}),
  });
  return new Feed({
    alias,
    plugin: definition.name,
    tag,
    input,
    chain,
    queue: store.queue,
    fields,
    clock,
    emit,
    once,
    tap: taps,
  });
}

export function contextOf(alias: string, { store, fields, clock, emit, version }: Surroundings): OutputContext {
  return { alias, node: store.dataDir.node, version, clock, emit, fields };
}
