/** What a scenario of the contract has in hand, and how it looks at what arrived. */
import assert from "node:assert/strict";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { type TestLane, until } from "./lane.ts";

/** How a destination can be made to fail. */
export type Mode =
  /** It cannot be reached, or answers that it is not ready. */
  | "unavailable"
  /** It answers that it is too busy, naming `retryAfterMs` where its protocol can. */
  | "throttled"
  /** It refuses for good each record that holds `REFUSED`; the others are stored. */
  | "refused"
  /** It takes the connection and never answers. */
  | "hang"
  /** It takes a part of the request and closes the connection. */
  | "drop";

/** A record that holds this text is the one a destination in mode `refused` refuses. */
export const REFUSED = "refuse-this-record";

/** A destination that can be read back and made to fail. */
export interface Harness {
  /** As a user would write them; validated before use. */
  readonly options: Record<string, unknown>;
  /** The entries stored, in the order of their arrival, as JSON text. */
  received(): Promise<readonly (string | Buffer)[]>;
  fail?(mode: Mode): Promise<void> | void;
  heal?(): Promise<void> | void;
  /** Stops the destination and starts it again on the same address; what was stored stays. */
  restart?(): Promise<void>;
  /**
   * From now on the destination answers with this status before it has read the request, and goes on reading slowly.
   * Returns what it read of each request, in order (one body a request, decompressed).
   */
  answerEarly?(status: 429 | 413): Promise<{ bodies(): readonly Buffer[]; done(): Promise<void> }>;
  /** What the destination asks for in mode `throttled`. */
  readonly retryAfterMs?: number;
  /** Top-level keys the output adds by itself; the chain is verified without them. */
  readonly added?: readonly string[];
  /** How long an abort, a close or a record's way to where it can be read back may take; 3 s unless the destination is quicker. */
  readonly promptMs?: number;
  /** Secrets among the options: none may ever be said. */
  readonly secrets?: readonly string[];
  /** Frees the destination. */
  stop(): Promise<void>;
}

export interface Subject {
  readonly definition: AnyOutputDefinition;
  readonly harness: Harness;
  /** Opens the output (again); closed after the scenario. */
  open(): Promise<TestLane>;
  /** Everything any of them said. */
  readonly said: readonly string[];
}

export interface Scenario {
  readonly name: string;
  readonly needs?: readonly (Mode | "restart" | "answerEarly")[];
  /** Why it does not apply to this output; undefined where it does. */
  applies?(definition: AnyOutputDefinition, options: Record<string, unknown>): string | undefined;
  run(subject: Subject): Promise<void>;
}

export const promptMs = (harness: Harness) => harness.promptMs ?? 3_000;
export const isObjectOutput = (definition: AnyOutputDefinition) => "assemble" in definition;
export const guarantee = (definition: AnyOutputDefinition, options: Record<string, unknown>) =>
  definition.guarantee(definition.options.parse(options));

export async function arrived({ harness }: Subject): Promise<Record<string, unknown>[]> {
  return (await harness.received()).map((line) => JSON.parse(line.toString()) as Record<string, unknown>);
}

/** Exactly these lines arrived, in order, each with its own bytes. */
export async function arrivedExactly(subject: Subject, lines: readonly string[]): Promise<void> {
  await arrivedAtLeast(subject, lines.length);
  const received = (await subject.harness.received()).map(String);
  assert.equal(received.length, lines.length, "as many records arrive as were sent");
  for (const [i, line] of lines.entries()) {
    assert.ok(received[i]!.includes(line.slice(1, -1)), `record ${i} arrives in its place with its own bytes`);
  }
}

/** Each of these lines arrived once or more. */
export async function arrivedAll(subject: Subject, lines: readonly string[]): Promise<void> {
  await arrivedAtLeast(subject, lines.length);
  const received = (await subject.harness.received()).map(String);
  for (const [i, line] of lines.entries()) {
    assert.ok(
      received.some((r) => r.includes(line.slice(1, -1))),
      `record ${i} arrives`,
    );
  }
}

/** A destination may take what was acknowledged a moment later into what can be read back; an output that lost something waits in vain. */
export async function arrivedAtLeast({ harness }: Subject, count: number): Promise<void> {
  await until(
    `${count} records arrive`,
    async () => (await harness.received()).length >= count,
    promptMs(harness),
  ).catch(() => {});
  const { length } = await harness.received();
  assert.ok(length >= count, `${length} of ${count} records arrived`);
}
