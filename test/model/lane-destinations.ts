/** Destinations of the lane model: they outlive crashes of the agent, and have moods. */
import { expect } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { Failure, ObjectOutput, ObjectPlan, Output, Plan, WriteResult } from "../../agent/api/output.ts";
import { linesOf } from "../fakes/batch.ts";

export type Random = () => number;

/** What a destination may do with a write, and how likely that is in each mood. */
const TRICKS = [
  "take",
  "throw",
  "hang",
  "ignore",
  "take-and-hang",
  "refuse",
  "picky",
  "reject",
  "retry",
  "block",
  "pause",
  "nonsense",
] as const;
type Trick = (typeof TRICKS)[number];

abstract class Destination {
  readonly random: Random;
  /** Undefined: it takes everything. */
  #mood: readonly Trick[] | undefined;
  /** The agent's run that is connected now; what an earlier one still sends does not arrive. */
  #run = 0;

  constructor(random: Random) {
    this.random = random;
  }

  moody(): void {
    const dice = this.random();
    if (dice < 0.2) this.#mood = undefined;
    else if (dice < 0.4) this.#mood = [this.#any()];
    else this.#mood = ["take", this.#any(), this.#any(), this.#any()];
  }

  heal(): void {
    this.#mood = undefined;
  }

  disconnect(): void {
    this.#run++;
  }

  /** Answers whether the run is still connected. */
  protected connection(): () => boolean {
    const run = ++this.#run;
    return () => run === this.#run;
  }

  protected trick(): Trick {
    return this.#mood ? this.#mood[Math.floor(this.random() * this.#mood.length)]! : "take";
  }

  #any(): Trick {
    return TRICKS[Math.floor(this.random() * TRICKS.length)]!;
  }

  /** Plays the trick on a write of these lines; `store` keeps those it is given. */
  protected async play(
    lines: readonly string[],
    store: (lines: readonly string[]) => void,
    signal: AbortSignal,
  ): Promise<WriteResult> {
    const trick = this.trick();
    if (this.random() < 0.3) await new Promise((resolve) => setTimeout(resolve, this.random() * 4));
    // Obeys its signal; what is given up must not arrive behind its successors.
    signal.throwIfAborted();
    const some = (action: Failure["action"]): WriteResult => {
      const failed = new Map<number, Failure>();
      lines.forEach((_, i) => {
        if (this.random() < 0.3) failed.set(i, { action, reason: `no ${Math.floor(this.random() * 3)}` });
      });
      store(lines.filter((_, i) => !failed.has(i)));
      return { failed };
    };
    switch (trick) {
      case "throw":
        throw new Error("connection refused");
      case "hang":
        return aborted(signal);
      case "ignore":
        return new Promise(() => {});
      case "take-and-hang":
        store(lines);
        return aborted(signal);
      case "refuse":
        return { refused: "413" };
      case "picky":
        if (lines.some((line) => line.includes("poison"))) return { refused: "400" };
        break;
      case "reject":
        return some("reject");
      case "retry":
        return { ...some("retry"), pauseMs: this.random() * 3 };
      case "block":
        return this.random() < 0.5 ? { blocked: "403" } : some("block");
      case "pause":
        store(lines);
        return { pauseMs: this.random() < 0.1 ? Number.NaN : this.random() * 5 };
      case "nonsense":
        store(lines);
        return {
          failed: new Map([
            [lines.length + 3, { action: "reject", reason: "?" }],
            [-1, { action: "retry", reason: "?" }],
          ]),
          repeated: 1_000,
        };
    }
    store(lines);
    return {};
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

export class StreamSink extends Destination {
  readonly #taken = new Set<string>();

  connect(): Output {
    const connected = this.connection();
    return {
      write: (batches: readonly RecordBatch[], _plan: Plan, signal: AbortSignal) =>
        this.play(
          linesOf(batches),
          (lines) => connected() && lines.forEach((line) => void this.#taken.add(line)),
          signal,
        ),
      probe: async () => {},
      close: async () => {},
    };
  }

  arrived(): ReadonlySet<string> {
    return this.#taken;
  }

  check(): void {}
}

/** Keeps objects by plan id: the same again replaces it. */
export class ObjectStore extends Destination {
  readonly #objects = new Map<string, { partition: string; lines: readonly string[] }>();

  connect(): ObjectOutput {
    const connected = this.connection();
    return {
      partition: (batch, index) => {
        if (this.trick() === "throw" && this.random() < 0.02) throw new Error("no partition");
        const line = batch.bytes(index).toString();
        return line.slice(0, line.indexOf(":")) + (line.charCodeAt(1) % 2 === 0 ? "" : "/long".repeat(150));
      },
      prepare: async (plan) => {
        if (this.trick() === "throw") throw new Error("cannot prepare");
        return `${plan.id} "${"\\".repeat(100)}`;
      },
      writeObject: (batches, plan, signal) => this.#write(batches, plan, signal, connected),
      probe: async () => {},
      close: async () => {},
    };
  }

  async #write(
    batches: AsyncIterable<RecordBatch>,
    plan: ObjectPlan,
    signal: AbortSignal,
    connected: () => boolean,
  ): Promise<WriteResult> {
    expect(plan.note).toContain(plan.id);
    if (this.trick() === "throw") for await (const _ of batches) throw new Error("in the middle");
    const lines: string[] = [];
    for await (const batch of batches) lines.push(...linesOf([batch]));
    expect(lines).toHaveLength(plan.records);
    const store = (kept: readonly string[]) =>
      connected() && this.#objects.set(plan.id, { partition: plan.partition, lines: kept });
    // Rejected records are those of the last answer: an object is stored whole.
    return this.play(lines, store, signal);
  }

  arrived(): ReadonlySet<string> {
    return new Set([...this.#objects.values()].flatMap(({ lines }) => lines));
  }

  #about(partition: string): string {
    const objects = [...this.#objects].filter(([, object]) => object.partition === partition);
    return objects.map(([id, { lines }]) => `${id}: ${lines.map((line) => line.split(":")[1])}`).join("; ");
  }

  /** Every line in one object, and those of a partition in order. */
  check(): void {
    const last = new Map<string, number>();
    const seen = new Set<string>();
    for (const { partition, lines } of this.#objects.values()) {
      for (const line of lines) {
        expect(seen.has(line), `twice: ${line.slice(0, 30)}`).toBe(false);
        seen.add(line);
        const number = Number(line.split(":")[1]);
        expect(number, `order in ${partition.slice(0, 20)}: ${this.#about(partition)}`).toBeGreaterThan(
          last.get(partition) ?? -1,
        );
        last.set(partition, number);
      }
    }
  }
}
