/** The output on a fake service, both at one fixed time; they are closed after the test. */
import { afterEach } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/cloudwatch/index.ts";
import { batchOf } from "../contract/records.ts";
import { FakeCloudwatch, type FakeCloudwatchOptions } from "./cloudwatch.ts";

export const NOW = Date.UTC(2026, 1, 15, 12);
export const HOUR = 3_600_000;
const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export async function startFake(options: FakeCloudwatchOptions = {}): Promise<FakeCloudwatch> {
  const fake = await FakeCloudwatch.start({ now: () => NOW, ...options });
  closing.push(() => fake.stop());
  return fake;
}

export async function cloudwatchOutput(
  fake: FakeCloudwatch,
  options: Record<string, unknown> = {},
  { monotonic = () => 0, emit = () => {} }: { monotonic?: () => number; emit?: (event: AgentEvent) => void } = {},
): Promise<Output> {
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1" };
  const parsed = definition.options.parse({ log_group: "g", log_stream: "s", endpoint: fake.url, ...keys, ...options });
  const fields = new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]);
  const clock = { now: () => NOW, monotonic };
  const made = await definition.create(parsed, { alias: "c", node: "n", version: "0", clock, fields, emit });
  closing.push(() => made.close());
  return made as Output;
}

/** An entry of so many milliseconds after NOW. */
export const entryAt = (ms: number, more = "") => `{"timestamp":"${new Date(NOW + ms).toISOString()}"${more}}`;

export function writeAll(
  output: Output,
  batches: readonly RecordBatch[],
  signal = new AbortController().signal,
): Promise<WriteResult> {
  return output.write(batches, { id: "p", repeat: false }, signal);
}

export const writeLines = (output: Output, lines: readonly (string | Buffer)[], tag = "t"): Promise<WriteResult> =>
  writeAll(output, [batchOf(lines, { tag, readTime: NOW - HOUR })]);

/** `[index, action, reason]` of what is not stored, by index. */
export const outcome = ({ failed }: WriteResult) =>
  [...(failed ?? [])].sort(([a], [b]) => a - b).map(([i, { action, reason }]) => [i, action, reason]);

/** `[index, action]` of what is not stored, by index. */
export const actions = (result: WriteResult) => outcome(result).map(([i, action]) => [i, action]);
