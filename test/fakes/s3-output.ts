/** The s3 output as the lane uses it, in front of a fake. */
import { onTestFinished } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { ObjectOutput, ObjectPlan, WriteResult } from "../../agent/api/output.ts";
import type { ObjectOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/s3/index.ts";
import { FakeS3 } from "./s3.ts";

export const NOW = Date.UTC(2026, 1, 1);

export async function startS3(): Promise<FakeS3> {
  const fake = await FakeS3.start("archive");
  onTestFinished(() => fake.stop());
  return fake;
}

export interface S3Subject extends ObjectOutput {
  readonly events: readonly AgentEvent[];
}

/** Closed when the test is over. An option that is `undefined` is left out. */
export async function s3Output(
  fake: FakeS3,
  options: Record<string, unknown> = {},
  now: () => number = () => NOW,
): Promise<S3Subject> {
  const keys = { access_key_id: "a", secret_access_key: "b" };
  const all = { bucket: "archive", endpoint: fake.url, force_path_style: true, ...keys, ...options };
  const parsed = definition.options.parse(
    Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)),
  );
  const events: AgentEvent[] = [];
  const made = await (definition as ObjectOutputDefinition).create(parsed, {
    alias: "s3",
    node: "host-1",
    version: "0",
    clock: { now, monotonic: () => 0 },
    fields: new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]),
    emit: (event) => void events.push(event),
  });
  onTestFinished(() => made.close());
  return Object.assign(made, { events });
}

/** Writes one object of the batch, as the lane does. */
export function writeS3(
  out: ObjectOutput,
  batch: RecordBatch,
  { repeat = false, id = "7.0-7.9-x", signal = new AbortController().signal } = {},
): Promise<WriteResult> {
  const batches = {
    async *[Symbol.asyncIterator]() {
      yield batch;
    },
  };
  const plan: ObjectPlan = {
    id,
    repeat,
    partition: "p",
    first: batch.id(0),
    last: batch.id(batch.count - 1),
    records: batch.count,
    note: "",
  };
  return out.writeObject(batches, plan, signal);
}
