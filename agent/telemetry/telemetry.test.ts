import { stripVTControlCharacters } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import type { AgentEvent } from "../api/events.ts";
import { reasonClass } from "./counters.ts";
import { output, pipeline, START, setUp } from "./harness.ts";
import { formatLedger } from "./ledger.ts";
import { pretty } from "./pretty.ts";

/** One of each kind, so that a new event without a line here fails to compile. */
const ONE_OF_EACH: { [K in AgentEvent["is"]]: Extract<AgentEvent, { is: K }> } = {
  read: { is: "read", input: "tail", records: 3, bytes: 1400 },
  created: { is: "created", by: "chain", records: 1, reason: "verified so far" },
  filtered: { is: "filtered", filter: "level", records: 2 },
  chain: { is: "chain", filter: "chain", verified: 400, unchained: 2 },
  chain_break: {
    is: "chain_break",
    filter: "chain",
    group: "/a",
    kind: "edited",
    level: "error",
    offset: 4711,
    path: "/a/b.jsonl",
  },
  parse_error: {
    is: "parse_error",
    input: "tail",
    records: 1,
    reason: "not JSON at 17",
    path: "/a/b.jsonl",
    offset: 17,
  },
  line_cut: { is: "line_cut", input: "tail", path: "/a/b.jsonl", offset: 0, length: 2_000_000 },
  file: { is: "file", input: "tail", path: "/a/b.jsonl", change: "found" },
  delivered: { is: "delivered", output: "es", records: 2, bytes: 900, ms: 12 },
  key_conflict: { is: "key_conflict", output: "o", key: "a.gz", next: "a-1.gz" },
  repeated: { is: "repeated", output: "es", records: 1 },
  rejected: { is: "rejected", output: "es", records: 1, reason: "document_parsing_exception: failed to parse [17]" },
  lost: {
    is: "lost",
    where: "input",
    name: "tail",
    records: 0,
    bytes: 512,
    reason: "deleted",
    path: "/a",
    from: 0,
    to: 512,
  },
  retry: {
    is: "retry",
    output: "es",
    records: 2,
    attempt: 1,
    delayMs: 900,
    reason: "connect ECONNREFUSED 127.0.0.1:9200",
  },
  addition_moved: { is: "addition_moved", output: "es", records: 1 },
  queue_damaged: { is: "queue_damaged", segment: "1.seg", from: 0, to: 4096, reason: "checksum" },
  queue_torn: { is: "queue_torn", segment: "1.seg", at: 8192, bytes: 12 },
  queue_full: { is: "queue_full", bytes: 1000, maxBytes: 1000 },
  queue_space: { is: "queue_space", waitedMs: 1500 },
  disk_error: { is: "disk_error", path: "/q", code: "ENOSPC", reason: "no space left on device" },
  orphan: { is: "orphan", alias: "old", records: 5, bytes: 100, discarded: false },
  component: { is: "component", kind: "output", name: "es", state: "blocked", reason: "index is read-only" },
  reload: { is: "reload", applied: true, by: "SIGHUP (signal)", changes: [], kept: 3, problems: [] },
  operator: { is: "operator", action: "output.pause", actor: "ann", from: "socket", message: "paused the output es" },
  notice: { is: "notice", level: "info", component: "agent", message: "hello" },
};
const EVENTS = Object.values(ONE_OF_EACH);

test("every event is one line, with its fields", () => {
  const { telemetry, lines } = setUp();
  for (const event of EVENTS) telemetry.emit(event);
  const written = lines();
  expect(written).toHaveLength(EVENTS.length);
  expect(written.map(({ event }) => event)).toEqual(EVENTS.map(({ is }) => is));
  for (const line of written) {
    expect(line.time).toBe("2026-01-02T03:04:05.000Z");
    expect(line.level).toMatch(/^(debug|info|warn|error)$/);
    expect(String(line.msg)).not.toMatch(/undefined|NaN|\[object/);
    expect(line.component).toBeTruthy();
  }
  expect(written[13]).toMatchObject({ level: "warn", output: "es", attempt: 1, delayMs: 900 });
});

test("a line that is only a brace has a hint", () => {
  const { telemetry, lines } = setUp();
  for (const reason of ["unexpected end at 1", "unexpected end at 17", "not an object"]) {
    telemetry.emit({ ...ONE_OF_EACH.parse_error, reason });
  }
  expect(lines().map(({ msg }) => String(msg).endsWith("; pretty-printed JSON? set multiline: json"))).toEqual([
    true,
    false,
    false,
  ]);
});

test("what happens with every batch is not logged at info", () => {
  const { telemetry, lines } = setUp({ level: "info" });
  for (const is of ["read", "filtered", "delivered", "repeated", "created"] as const) telemetry.emit(ONE_OF_EACH[is]);
  expect(lines()).toEqual([]);
});

test("repeats are held back, counted, and told a minute later", () => {
  const { telemetry, time, lines } = setUp({ level: "info" });
  for (let attempt = 1; attempt <= 5; attempt++) telemetry.emit({ ...ONE_OF_EACH.retry, attempt });
  telemetry.emit({ ...ONE_OF_EACH.retry, reason: "503 Service Unavailable" });
  expect(lines().map(({ attempt }) => attempt)).toEqual([1, 1]);
  time.ms = 60_000;
  telemetry.emit({ ...ONE_OF_EACH.retry, attempt: 6 });
  expect(lines()).toMatchObject([{ attempt: 6, suppressed: 4 }]);
});

test("what was held back is told at the end", async () => {
  const { telemetry, lines } = setUp({ level: "info" });
  for (let i = 0; i < 3; i++) telemetry.emit({ ...ONE_OF_EACH.parse_error, reason: `unexpected byte at ${i}` });
  lines();
  await telemetry.close();
  expect(lines()).toMatchObject([{ level: "warn", suppressed: 2 }]);
});

test("a hundred thousand different complaints take bounded memory and lose no count", async () => {
  const { telemetry } = setUp({ level: "silent" });
  for (let i = 0; i < 100_000; i++) telemetry.emit({ ...ONE_OF_EACH.lost, name: `x${i}`, records: 1 });
  const metrics = await telemetry.metrics();
  const series = metrics.split("\n").filter((l) => l.startsWith("audit_agent_lost_records_total{"));
  expect(series.length).toBeLessThan(600);
  expect(series.reduce((sum, l) => sum + Number(l.split(" ").at(-1)), 0)).toBe(100_000);
});

test("on a terminal a line is time, who, what; colours only there", () => {
  vi.stubEnv("NO_COLOR", "");
  vi.stubEnv("TERM", "xterm");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { telemetry, text } = setUp({ terminal: true, level: "info" });
  telemetry.emit(ONE_OF_EACH.file);
  const line = text();
  expect(line).toContain("\u001b[1mtail");
  expect(stripVTControlCharacters(line)).toMatch(/^\d\d:\d\d:05 tail {11}\/a\/b\.jsonl found\n$/);
  const piped = setUp({ format: "pretty", level: "info" });
  piped.telemetry.emit(ONE_OF_EACH.component);
  expect(piped.text()).toMatch(/^\d\d:\d\d:05 es {12} error: is blocked: index is read-only\n$/);
});

test("nothing a server or a file name says reaches the terminal as control characters", () => {
  const line = { level: "warn", time: new Date(START).toISOString(), component: "es" };
  const nasty = "a\u001b]0;owned\u0007b\r\nfake line\u202egnp\u009b31m";
  expect(pretty({ ...line, msg: nasty }, false)).toMatch(/^[^\p{Cc}\u202e]*\n$/u);
  expect(pretty({ ...line, msg: "x".repeat(1_000_000) }, false).length).toBeLessThan(2100);
});

test("a closed log does not stop anything", () => {
  const { telemetry, destination } = setUp();
  destination.destroy(new Error("EPIPE"));
  telemetry.emit(ONE_OF_EACH.notice);
});

test("reasons become few words", () => {
  expect(reasonClass("document_parsing_exception: [1:17] failed to parse field [a]")).toBe(
    "document_parsing_exception",
  );
  expect(reasonClass("connect ECONNREFUSED 127.0.0.1:9200")).toBe("econnrefused");
  expect(reasonClass("429 Too Many Requests")).toBe("http_429");
  expect(reasonClass("no answer: timed out after 30 s")).toBe("timeout");
  expect(reasonClass("whatever /path/to/x 12345")).toBe("other");
  expect(reasonClass("")).toBe("other");
});

test("health: ready once there is a pipeline and its inputs run", () => {
  const { telemetry } = setUp({ level: "silent" });
  expect(telemetry.health()).toMatchObject({ status: "ok", ready: false, version: "1.2.3" });
  let state: "starting" | "ok" = "starting";
  telemetry.observe(() => pipeline({ inputs: [{ ...pipeline().inputs[0]!, state }] }));
  expect(telemetry.health().ready).toBe(false);
  state = "ok";
  expect(telemetry.health().ready).toBe(true);
});

test.each([
  ["all good", pipeline(), 0, "ok"],
  [
    "an hour of silence without a backlog",
    pipeline({ outputs: [output({ backlog: { records: 0, bytes: 0, oldest: undefined } })] }),
    3_600_000,
    "ok",
  ],
  ["a minute without progress", pipeline(), 60_000, "ok"],
  ["more than a minute without progress", pipeline(), 60_001, "degraded"],
  [
    "an old backlog right after a start",
    pipeline({ startedAt: START + 3_600_000, outputs: [output({ lastProgress: undefined })] }),
    3_600_500,
    "ok",
  ],
  [
    "a fresh backlog after an hour of silence",
    pipeline({ outputs: [output({ backlog: { records: 1, bytes: 1, oldest: START + 3_599_000 } })] }),
    3_600_000,
    "ok",
  ],
  [
    "an object that is assembled for five minutes",
    pipeline({ outputs: [output({ waitsMs: 300_000 })] }),
    200_000,
    "ok",
  ],
  ["a blocked lane", pipeline({ outputs: [output({ state: "blocked", reason: "401" })] }), 0, "degraded"],
  ["a failed input", pipeline({ inputs: [{ ...pipeline().inputs[0]!, state: "failed" }] }), 0, "failed"],
  ["a full queue", pipeline({ queue: { ...pipeline().queue, state: "blocked", reason: "full" } }), 0, "degraded"],
  ["an orphan", pipeline({ orphans: [{ alias: "old", records: 1, bytes: 1 }] }), 0, "ok"],
] as const)("health with %s", (_name, status, later, expected) => {
  const { telemetry, time } = setUp({ level: "silent" });
  telemetry.observe(() => status);
  time.ms = later;
  const health = telemetry.health();
  expect(health.status).toBe(expected);
  expect(health.problems.length > 0).toBe(expected !== "ok");
});

test("health knows what no ledger has", () => {
  const { telemetry } = setUp({ level: "silent" });
  expect(telemetry.health().lost_at_input_bytes).toBe(0);
  telemetry.observe(() => pipeline({ lostAtInputBytes: 4711 }));
  expect(telemetry.health().lost_at_input_bytes).toBe(4711);
});

test("health says since when the queue waits", () => {
  const { telemetry } = setUp({ level: "silent" });
  const since = START + 5000;
  telemetry.observe(() => pipeline({ queue: { ...pipeline().queue, state: "blocked", since, reason: "full" } }));
  expect(telemetry.health().problems).toEqual([`queue: blocked since ${new Date(since).toISOString()}: full`]);
});

test("health knows of dead letters by their events", () => {
  const { telemetry, time } = setUp({ level: "silent" });
  telemetry.observe(() => pipeline());
  const event = {
    is: "component",
    kind: "dead_letters",
    name: "dead_letters",
    state: "blocked",
    reason: "disk full",
  } as const;
  telemetry.emit(event);
  time.ms = 5000;
  telemetry.emit(event);
  const health = telemetry.health();
  expect(health.status).toBe("degraded");
  expect(health.components.find(({ kind }) => kind === "dead_letters")).toMatchObject({
    since: "2026-01-02T03:04:05.000Z",
    reason: "disk full",
  });
});

test("metrics: counters from events, gauges from the status", async () => {
  const { telemetry } = setUp({ level: "silent" });
  telemetry.observe(() => pipeline({ orphans: [{ alias: "old", records: 7, bytes: 70 }] }));
  for (const event of [...EVENTS, ONE_OF_EACH.delivered]) telemetry.emit(event);
  telemetry.emit({ is: "delivered", output: "es", records: -1, bytes: Number.NaN, ms: -5 });
  for (const _ of [1, 2]) {
    const text = await telemetry.metrics();
    expect(text).toContain('audit_agent_delivered_records_total{output="es"} 4');
    expect(text).toContain('audit_agent_rejected_records_total{output="es",reason="document_parsing_exception"} 1');
    expect(text).toContain('audit_agent_retries_total{output="es",reason="econnrefused"} 1');
    expect(text).toContain('audit_agent_lost_bytes_total{where="input",name="tail"} 512');
    expect(text).toContain('audit_agent_backlog_records{output="es"} 3');
    expect(text).toContain('audit_agent_component_state{kind="input",name="tail",state="ok"} 1');
    expect(text).toContain('audit_agent_orphan_records{output="old"} 7');
    expect(text).toContain('audit_agent_build_info{version="1.2.3"} 1');
    expect(text).toMatch(/process_resident_memory_bytes \d{7,}/);
    expect(text).not.toContain("/a/b.jsonl");
  }
});

test("metrics: how the writes are spread, in buckets that hold those below; nothing of what is no number", async () => {
  const { telemetry } = setUp({ level: "silent" });
  for (const ms of [3, 40, 40, 90_000]) {
    telemetry.emit({ is: "delivered", output: "es", records: 200, bytes: 5000, ms });
  }
  telemetry.emit({ is: "delivered", output: "es", records: Number.NaN, bytes: -1, ms: Number.POSITIVE_INFINITY });
  for (let scrape = 0; scrape < 2; scrape++) {
    const text = await telemetry.metrics();
    expect(text).toContain("# TYPE audit_agent_write_duration_seconds histogram");
    const seconds = 'audit_agent_write_duration_seconds_bucket{le="';
    for (const [le, count] of Object.entries({ 0.005: 1, 0.025: 1, 0.05: 3, 60: 3, "+Inf": 4 })) {
      expect(text).toContain(`${seconds}${le}",output="es"} ${count}\n`);
    }
    expect(text).toMatch(/^audit_agent_write_duration_seconds_sum\{output="es"\} 90\.083$/m);
    expect(text).toContain('audit_agent_write_duration_seconds_count{output="es"} 4\n');
    expect(text).toContain('audit_agent_write_records_bucket{le="100",output="es"} 0\n');
    expect(text).toContain('audit_agent_write_records_bucket{le="500",output="es"} 4\n');
    expect(text).toContain('audit_agent_write_bytes_sum{output="es"} 20000\n');
    expect(text).not.toMatch(/writes_total|write_seconds_total/);
  }
});

test("metrics: how far inputs and their files are behind; two files of one name are one series", async () => {
  const { telemetry } = setUp({ level: "silent" });
  const file = { path: "/a", size: 10, offset: 5, bytes: 5, ms: 1500, deleted: false };
  const files = [file, { ...file, bytes: 3, ms: 2500, deleted: true }, { ...file, path: '/"b"\n', bytes: 0, ms: 0 }];
  const lag = { followed: 3, bytes: 8, ms: 2500, files };
  telemetry.observe(() => pipeline({ inputs: [{ ...pipeline().inputs[0]!, lag }] }));
  const text = await telemetry.metrics();
  expect(text).toContain('audit_agent_input_files{input="tail"} 3');
  expect(text).toContain('audit_agent_input_lag_bytes{input="tail"} 8');
  expect(text).toContain('audit_agent_input_lag_seconds{input="tail"} 2.5');
  expect(text).toContain('audit_agent_file_lag_bytes{input="tail",file="/a"} 8');
  expect(text).toContain('audit_agent_file_lag_seconds{input="tail",file="/a"} 2.5');
  expect(text).toContain('audit_agent_file_lag_bytes{input="tail",file="/\\"b\\"\\n"} 0');
});

test("the ledger as a table", () => {
  const ledger = { read: 1_234_567, created: 0, filtered: 200, delivered: 1_234_300, rejected: 0, lost: 0, queued: 67 };
  const table = formatLedger([
    { alias: "elasticsearch", ledger },
    { alias: "archive", ledger: { ...ledger, queued: 60 } },
    { alias: "x", ledger: { ...ledger, queued: 70 } },
  ]);
  expect(table).toBe(
    [
      "output              read  filtered  delivered  lost  queued  balance",
      "elasticsearch  1,234,567       200  1,234,300     0      67  ok",
      "archive        1,234,567       200  1,234,300     0      60  7 unaccounted for",
      "x              1,234,567       200  1,234,300     0      70  3 counted twice",
    ].join("\n"),
  );
  expect(formatLedger([])).toBe("");
});
