/** The elasticsearch output by itself, in front of fakes; what a test makes is closed with it. */
import { createServer } from "node:net";
import { onTestFinished } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/elasticsearch/index.ts";
import { batchOf as anyBatchOf, type BatchSettings } from "../contract/records.ts";
import { FakeElasticsearch, type FakeOptions } from "./elasticsearch.ts";

/** Offsets from 0, so that the same lines have the same ids. */
export const batchOf = (lines: readonly (string | Buffer)[], settings: BatchSettings = {}) =>
  anyBatchOf(lines, { offset: 0, ...settings });

export async function start(options: FakeOptions = {}): Promise<FakeElasticsearch> {
  const fake = await FakeElasticsearch.start(options);
  onTestFinished(() => fake.stop());
  return fake;
}

export async function output(options: Record<string, unknown>, events: AgentEvent[] = []): Promise<Output> {
  const parsed = definition.options.parse(options);
  const made = await definition.create(parsed, {
    alias: "es",
    node: "n",
    version: "0",
    clock: { now: () => Date.UTC(2026, 1, 1), monotonic: () => 0 },
    fields: new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]),
    emit: (event) => void events.push(event),
  });
  onTestFinished(() => made.close());
  return made;
}

export const write = (
  out: Output,
  batches: RecordBatch[],
  repeat = false,
  signal = new AbortController().signal,
): Promise<WriteResult> => out.write(batches, { id: "plan", repeat }, signal);

export const actions = ({ failed }: WriteResult) => [...(failed ?? [])].map(([i, { action }]) => [i, action]);

/** An address at which nobody listens. */
export async function free(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
