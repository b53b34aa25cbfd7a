import type { Place } from "../queue/types.ts";
import { type LaneParts, messageOf, skipTo } from "./lane.ts";
import { precedes } from "./lane-ledger.ts";
import { sleep } from "./waiting.ts";

/** How long after a cursor could not be saved it is tried again, in milliseconds. */
const AGAIN_MS = 1_000;

/** Saves a stream lane's cursor: one write at a time, each to the furthest place asked for meanwhile, again until it is saved. */
export class CursorKeeper {
  readonly #parts: LaneParts;
  readonly #stop: AbortSignal;
  readonly #onSaved: () => void;
  #goal: Place;
  /** Skips asked for and not yet counted as lost. */
  #skips = 0;
  #saving: Promise<void> | undefined;
  /** Where the ledger begins is stored nowhere yet. */
  #unsaid: boolean;

  constructor(parts: LaneParts, stop: AbortSignal, onSaved: () => void) {
    this.#parts = parts;
    this.#stop = stop;
    this.#onSaved = onSaved;
    this.#goal = parts.reader.cursor;
    this.#unsaid = parts.ledger.anew;
  }

  /** An output may be down from its first start on and for many more: where its account begins must outlive each of them. */
  begin(): void {
    if (this.#unsaid) this.#saving ??= this.#save();
  }

  /** Resolves when the cursor stands there or further, or the lane stops and it cannot be saved. */
  moveTo(place: Place): Promise<void> {
    if (precedes(this.#goal, place)) this.#goal = place;
    if (!precedes(this.#parts.reader.cursor, this.#goal)) return Promise.resolve();
    this.#saving ??= this.#save();
    return this.#saving;
  }

  /** As `moveTo`, over records that are given up and not yet counted. */
  skipTo(place: Place): Promise<void> {
    this.#skips++;
    return this.moveTo(place);
  }

  /** Resolves when no write is under way. */
  async rest(): Promise<void> {
    await this.#saving;
  }

  async #save(): Promise<void> {
    const { reader, ledger, emit, alias } = this.#parts;
    const data = (at: Place) => ({ ledger: ledger.stored(at) });
    while (this.#unsaid || precedes(reader.cursor, this.#goal)) {
      const goal = this.#goal;
      const skips = this.#skips;
      try {
        if (skips > 0) await skipTo(goal, data, this.#parts);
        else await reader.commit(goal, data(goal));
        this.#skips -= skips;
        this.#unsaid = false;
      } catch (error) {
        emit({
          is: "notice",
          level: "error",
          component: alias,
          message: `cursor not saved: ${messageOf(error)}`,
        });
        if (this.#stop.aborted) break;
        await sleep(AGAIN_MS, this.#stop);
      }
      this.#onSaved();
    }
    this.#saving = undefined;
  }
}
