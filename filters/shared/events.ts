/** Which events a list of names and globs means; shared by the filters that keep and those that drop. */
import { z } from "zod";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { globMatches } from "../../agent/api/glob.ts";
import { oneOrMore } from "../../agent/api/options.ts";
import type { EventNames, View } from "../../agent/api/view.ts";

const SLOTS = 1024;

export const eventPatterns = oneOrMore(
  z.string().min(1).max(256),
  "Event names, or globs: `*` stands for any characters, `?` for one.",
).meta({ format: "pattern", example: ["api.request", "auth.*"] });

export class EventMatcher {
  readonly #view: View;
  readonly #exact: ReadonlySet<string>;
  readonly #globs: readonly string[];
  /** Verdicts by event id: the id in the slot, negative where it does not match. */
  readonly #verdicts = new Float64Array(SLOTS);

  constructor(patterns: readonly string[], view: View) {
    this.#view = view;
    this.#exact = new Set(patterns.filter((pattern) => !/[*?]/.test(pattern)));
    this.#globs = patterns.filter((pattern) => /[*?]/.test(pattern));
  }

  /** Whether one of the record's names is meant. A record without an event has no name. */
  matches(batch: RecordBatch, i: number): boolean {
    const event = this.#view.event(batch, i);
    const { id } = event;
    if (id === 0) return false;
    const slot = id % SLOTS;
    const known = this.#verdicts[slot]!;
    if (known === id) return true;
    if (known === -id) return false;
    const verdict = this.#meant(event);
    this.#verdicts[slot] = verdict ? id : -id;
    return verdict;
  }

  #meant(event: EventNames): boolean {
    return event.names.some((name) => this.#exact.has(name) || this.#globs.some((glob) => globMatches(glob, name)));
  }
}
