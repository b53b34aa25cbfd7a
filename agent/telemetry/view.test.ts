import { expect, test } from "vitest";
import type { ChainGroup } from "../api/filter.ts";
import { output, pipeline, START, setUp } from "./harness.ts";
import { pipelineView } from "./view.ts";

const AT = "2026-01-02T03:04:05.000Z";
const about = {
  now: START + 5000,
  node: "host",
  pid: 7,
  config: "/etc/audit-agent.yaml",
  http: "http://127.0.0.1:2020",
  process: { cpu_seconds: 1.5, resident_bytes: 1e8 },
  lastReload: null,
};

test("an idle pipeline: every member has a value", () => {
  const { telemetry } = setUp({ level: "silent" });
  telemetry.observe(() => pipeline());
  const view = pipelineView(pipeline(), telemetry.health(), telemetry.counter, about);
  expect(view).toEqual({
    time: "2026-01-02T03:04:10.000Z",
    version: "1.2.3",
    node: "host",
    pid: 7,
    config: "/etc/audit-agent.yaml",
    http: "http://127.0.0.1:2020",
    started_at: AT,
    status: "ok",
    ready: true,
    problems: [],
    inputs: [
      {
        alias: "tail",
        plugin: "tail",
        tag: "audit.tail",
        state: "ok",
        since: AT,
        reason: null,
        read: { records: 0, bytes: 0 },
        lag: { bytes: 0, seconds: 0, files: 0 },
        files: [],
      },
    ],
    filters: [],
    queue: { state: "ok", since: AT, reason: null, bytes: 4096, max_bytes: 1e9, segments: 1, oldest_seconds: 0 },
    outputs: [
      {
        alias: "es",
        plugin: "elasticsearch",
        state: "ok",
        since: AT,
        reason: null,
        match: [],
        guarantee: "",
        paused: false,
        stalled: false,
        backlog: { records: 3, bytes: 1400, oldest_seconds: 0 },
        in_flight: 1,
        ledger: pipeline().outputs[0]!.ledger,
        imbalance: 0,
        delivered_bytes: 0,
        retries: 0,
        waits_seconds: 0,
        last_progress: AT,
      },
    ],
    dead_letters: { records: 0, bytes: 0 },
    orphans: [],
    lost_at_input_bytes: 0,
    process: { cpu_seconds: 1.5, resident_bytes: 1e8 },
    last_reload: null,
  });
});

test("counts are the counters', per part; lags, chains and troubles are told", () => {
  const { telemetry } = setUp({ level: "silent" });
  const file = { path: "/a.jsonl", size: 900, offset: 400, bytes: 500, ms: 2500, deleted: false };
  const chain: ChainGroup = {
    group: "/a.jsonl",
    scheme: "app",
    state: "broken",
    entries: 9,
    breaks: 1,
    tip: "00",
    active: START,
    last: { kind: "edited", words: "it was changed", path: undefined, offset: 17, at: START },
  };
  const asked: number[] = [];
  const groups = (limit: number) => {
    asked.push(limit);
    return [chain];
  };
  const base = pipeline();
  const reason = "cannot read /b.jsonl: the agent's user may not read it (EACCES)";
  const status = pipeline({
    inputs: [
      { ...base.inputs[0]!, state: "degraded", reason, lag: { followed: 2, bytes: 500, ms: 2500, files: [file] } },
    ],
    filters: [
      {
        alias: "chain",
        plugin: "chain",
        state: "degraded",
        since: START,
        reason: "chain broken in /a.jsonl (edited), 1 break",
        match: ["audit.*"],
        chains: { count: 1, verified: 9, breaks: 1, groups },
      },
    ],
    outputs: [output({ match: ["*"], guarantee: "exactly-once", paused: true, lastProgress: undefined })],
    queue: { ...base.queue, state: "blocked", since: START + 1000, reason: "the disk is full (ENOSPC)" },
    orphans: [{ alias: "old", records: 5, bytes: 50 }],
  });
  telemetry.observe(() => status);
  telemetry.emit({ is: "read", input: "tail", records: 3, bytes: 90 });
  telemetry.emit({ is: "read", input: "other", records: 100, bytes: 100 });
  telemetry.emit({ is: "filtered", filter: "chain", records: 2 });
  telemetry.emit({ is: "created", by: "chain", records: 1, reason: "chain-broken" });
  telemetry.emit({ is: "delivered", output: "es", records: 2, bytes: 60, ms: 5 });
  for (const why of ["503 Service Unavailable", "connect ECONNREFUSED"])
    telemetry.emit({ is: "retry", output: "es", records: 1, attempt: 1, delayMs: 1, reason: why });
  const view = pipelineView(status, telemetry.health(), telemetry.counter, about);
  expect(view.inputs).toMatchObject([
    {
      read: { records: 3, bytes: 90 },
      lag: { bytes: 500, seconds: 2.5, files: 2 },
      files: [{ path: "/a.jsonl", size: 900, offset: 400, lag_bytes: 500, lag_seconds: 2.5, deleted: false }],
    },
  ]);
  expect(view.filters).toMatchObject([
    {
      match: ["audit.*"],
      filtered: 2,
      created: 1,
      chains: {
        count: 1,
        verified: 9,
        breaks: 1,
        groups: [
          {
            group: "/a.jsonl",
            state: "broken",
            active_at: AT,
            last_break: { kind: "edited", explanation: "it was changed", path: null, offset: 17, at: AT },
          },
        ],
      },
    },
  ]);
  expect(asked).toEqual([50]);
  expect(view.outputs).toMatchObject([
    { match: ["*"], guarantee: "exactly-once", paused: true, delivered_bytes: 60, retries: 2, last_progress: null },
  ]);
  expect(view.orphans).toEqual([{ alias: "old", records: 5, bytes: 50 }]);
  expect(view.status).toBe("degraded");
  expect(view.problems).toEqual([
    `input tail: degraded since ${AT}: ${reason}`,
    `filter chain: degraded since ${AT}: chain broken in /a.jsonl (edited), 1 break`,
    "queue: blocked since 2026-01-02T03:04:06.000Z: the disk is full (ENOSPC)",
  ]);
  expect(JSON.parse(JSON.stringify(view))).toEqual(view);
});

test("a counter is read by its labels, or by the first of them", () => {
  const { telemetry } = setUp({ level: "silent" });
  for (const reason of ["503", "503", "timed out"])
    telemetry.emit({ is: "retry", output: "es", records: 1, attempt: 1, delayMs: 1, reason });
  telemetry.emit({ is: "retry", output: "es2", records: 1, attempt: 1, delayMs: 1, reason: "503" });
  expect(telemetry.counter("retries")).toBe(4);
  expect(telemetry.counter("retries", "es")).toBe(3);
  expect(telemetry.counter("retries", "es", "http_503")).toBe(2);
  expect(telemetry.counter("retries", "nobody")).toBe(0);
  expect(telemetry.counter("queue_full")).toBe(0);
  telemetry.emit({ is: "queue_full", bytes: 1, maxBytes: 1 });
  expect(telemetry.counter("queue_full")).toBe(1);
});
