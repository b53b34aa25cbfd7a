/** For tests: a telemetry with its surroundings, and what a pipeline says of itself. */
import { Writable } from "node:stream";
import type { OutputStatus, PipelineStatus } from "../api/status.ts";
import { createTelemetry, type TelemetryOptions } from "./index.ts";

export const START = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A telemetry with a clock the test moves and a log the test reads. */
export function setUp(options: Partial<TelemetryOptions> & { terminal?: boolean } = {}) {
  const time = { ms: 0 };
  const chunks: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const destination = Object.assign(sink, { isTTY: options.terminal ?? false });
  const telemetry = createTelemetry({
    level: "debug",
    format: "auto",
    version: "1.2.3",
    clock: { now: () => START + time.ms, monotonic: () => time.ms },
    destination,
    ...options,
  });
  const text = () => chunks.splice(0).join("");
  const lines = () =>
    text()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { telemetry, time, text, lines, destination };
}

export const output = (over: Partial<OutputStatus> = {}): OutputStatus => ({
  alias: "es",
  plugin: "elasticsearch",
  state: "ok",
  since: START,
  reason: undefined,
  ledger: { read: 10, created: 1, filtered: 2, delivered: 5, rejected: 1, lost: 0, queued: 3 },
  backlog: { records: 3, bytes: 1400, oldest: START },
  inFlight: 1,
  lastProgress: START,
  ...over,
});
export const pipeline = (over: Partial<PipelineStatus> = {}): PipelineStatus => ({
  startedAt: START,
  inputs: [{ alias: "tail", plugin: "tail", tag: "audit.tail", state: "ok", since: START, reason: undefined }],
  filters: [],
  outputs: [output()],
  queue: { state: "ok", since: undefined, reason: undefined, bytes: 4096, maxBytes: 1e9, segments: 1, oldest: START },
  orphans: [],
  deadLetters: { records: 0, bytes: 0 },
  lostAtInputBytes: 0,
  ...over,
});
