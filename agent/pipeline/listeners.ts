import type { AgentEvent, Emit } from "../api/events.ts";

/** So many events of the opening are kept for inputs that are made after the parts they are about. */
const MOST_EARLY = 100;
const WORTH: ReadonlySet<AgentEvent["is"]> = new Set(["lost", "queue_damaged", "disk_error", "component"]);

/** Whoever wants to hear the events of the pipeline, beside telemetry. */
export class Listeners {
  readonly #all = new Set<Emit>();
  #early: AgentEvent[] | undefined = [];

  tell(event: AgentEvent): void {
    if (this.#early && this.#early.length < MOST_EARLY && WORTH.has(event.is)) this.#early.push(event);
    for (const listener of this.#all) listener(event);
  }

  add(listener: Emit): () => void {
    this.#all.add(listener);
    for (const event of this.#early ?? []) listener(event);
    return () => void this.#all.delete(listener);
  }

  /** All parts are there: nothing more is kept. */
  opened(): void {
    this.#early = undefined;
  }
}
