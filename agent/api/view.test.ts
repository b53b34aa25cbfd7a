import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import { Scanner } from "../json/scanner.ts";
import { allViewFields, Level, TimeKind, View } from "./view.ts";

const LOGS = join(import.meta.dirname, "../../test/corpora/logs");
const linesOf = (file: string) => readFileSync(join(LOGS, file), "utf8").split("\n").filter(Boolean);

/** Everything the view says of each line. */
function seen(lines: readonly string[]) {
  const batch = batchOf(lines);
  const view = new View(new Scanner(allViewFields));
  return lines.map((_, i) => {
    const time = view.time(batch, i);
    return {
      names: view.event(batch, i).names,
      actor: view.actor(batch, i),
      level: view.level(batch, i),
      outcome: view.outcome(batch, i),
      time: time.kind === TimeKind.exact ? new Date(time.ms).toISOString() : time.kind,
      nanos: time.nanos,
      offset: time.offset,
      ip: view.ip(batch, i),
      resource: view.resource(batch, i),
      category: view.category(batch, i),
    };
  });
}
const one = (entry: unknown) => seen([typeof entry === "string" ? entry : JSON.stringify(entry)])[0]!;

describe("real lines of every writer", () => {
  test("dashboard", () => {
    const [first, second, , , , last] = seen(linesOf("dashboard.jsonl"));
    expect(first).toEqual({
      names: ["project.create_token", "create_token"],
      actor: "bob",
      level: Level.warning,
      outcome: "failure",
      time: "2026-02-01T09:00:17.123Z",
      nanos: 456_000,
      offset: 0,
      ip: "10.0.0.36",
      resource: { type: "project", id: undefined },
      category: "project",
    });
    expect(second).toMatchObject({ ip: "2001:db8::5387", outcome: "success", actor: "alice" });
    expect(last).toMatchObject({
      names: ["task.kill", "kill"],
      actor: "李雷",
      resource: { type: "task", id: "r-9914" },
    });
  });

  test("the agent's chain", () => {
    const [first, second, , link] = seen(linesOf("agent-chain.jsonl"));
    expect(first).toMatchObject({
      names: ["git_commit"],
      actor: "李雷",
      level: Level.info,
      time: "2026-11-22T05:55:41.694Z",
    });
    expect(second).toMatchObject({
      names: ["session_start"],
      actor: "agent-1",
      resource: { id: "/repo" },
      outcome: undefined,
    });
    expect(link).toMatchObject({ names: ["audit_crosslink"], actor: "audit-crosslink" });
  });

  test("applications", () => {
    const [first, second, , fourth] = seen(linesOf("app.jsonl"));
    expect(first).toMatchObject({
      names: ["authentication.stop", "stop"],
      level: Level.warning,
      outcome: "success",
      ip: "10.0.0.1",
      resource: { type: undefined, id: "res-8" },
      category: "authentication",
    });
    expect(second).toMatchObject({
      names: ["administrative.api.request", "api.request"],
      level: Level.info,
      actor: "svc-📦",
    });
    expect(fourth).toMatchObject({ outcome: "failure", level: Level.warning });
  });

  test("the agent-audit log, as written and as documented", () => {
    const entries = seen(linesOf("agent-audit.jsonl"));
    const levels = Object.fromEntries(entries.map((entry) => [entry.names[0], entry.level]));
    expect(levels).toMatchObject({
      session_start: Level.info,
      policy_denied: Level.warning,
      policy_approval_required: Level.info,
      policy_approval_granted: Level.info,
      git_commit_aborted: Level.warning,
      session_stop: Level.info,
    });
    expect(entries.at(-1)).toMatchObject({ names: ["git_commit"], actor: "development" });
    expect(entries[0]).toMatchObject({ actor: undefined, time: "2026-02-12T18:30:00.000Z" });
  });

  test("entries over several lines", () => {
    const text = readFileSync(join(LOGS, "audit-20260212.jsonl"), "utf8");
    expect(seen(text.split(/(?<=^\})\n/m).filter(Boolean)).map(({ names, actor }) => [names[0], actor])).toEqual([
      ["session_start", "dev"],
      ["policy_violation", "dev"],
      ["session_end", "dev"],
    ]);
  });

  test("event, level, actor", () => {
    const entries = seen(linesOf("wiki-events.jsonl"));
    expect(entries.map(({ names, level }) => [names[0], level])).toEqual([
      ["session.start", Level.info],
      ["api.request", Level.debug],
      ["auth.token.create", Level.info],
      ["auth.fail", Level.error],
      ["task.fail", Level.error],
      ["session.complete", Level.info],
    ]);
    expect(entries[3]).toMatchObject({ ip: "203.0.113.9", actor: "ci-bot", category: "auth" });
    expect(entries[4]).toMatchObject({ time: "2026-02-02T12:30:00.000Z", offset: 60 });
  });
});

describe("names", () => {
  test.each<[object, string[]]>([
    [{ resource_type: "session", action: "start" }, ["session.start", "start"]],
    [{ resource_type: "session", action: "session.start" }, ["session.start"]],
    [{ event: "a", what: "b", event_type: "c", resource_type: "d", action: "e" }, ["a", "b", "c.e", "d.e", "e"]],
    [{ event_type: "login" }, ["login"]],
    [{ resource_type: "session" }, []],
    [{ event: null, action: "x" }, ["x"]],
    [{ event: "", action: "x" }, ["x"]],
    [{ event: { id: 1 }, action: 7 }, []],
    [{ event: "ünï\n\u0000code" }, ["ünï\n\u0000code"]],
    [{ event: "x".repeat(5000) }, ["x".repeat(5000)]],
    [{}, []],
  ])("%j", (entry, names) => {
    expect(one(entry).names).toEqual(names);
  });

  test("what is no object has no answers", () => {
    const nothing = { names: [], actor: undefined, level: Level.none, outcome: undefined, time: TimeKind.none };
    for (const line of ["plain text", '{"event":"a","level":"error"', "[1]", '"x"'])
      expect(one(line)).toMatchObject(nothing);
  });

  test("the same event is the same object; fields that take each other's place are told apart", () => {
    const lines = [
      '{"event":"a"}',
      '{"what":"a"}',
      '{"event":"a"}',
      '{"event":"ab"}',
      '{"event":"a","what":"b"}',
      '{"event":"a"',
    ];
    const batch = batchOf(lines);
    const view = new View(new Scanner(allViewFields));
    const events = lines.map((_, i) => view.event(batch, i));
    expect(events[2]).toBe(events[0]);
    expect(events.map(({ names }) => names)).toEqual([["a"], ["a"], ["a"], ["ab"], ["a", "b"], []]);
  });

  test("an absent field is not read from the start of the batch", () => {
    expect(seen(["true", '{"a":1}', '{"event":"x"}']).map(({ outcome }) => outcome)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(seen(["false", '{"a":1}']).map(({ level }) => level)).toEqual([Level.none, Level.info]);
  });

  test("many distinct names do not mix", () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `{"event":"e${i % 7000}","action":"x${i % 3}"}`);
    const batch = batchOf(lines);
    const view = new View(new Scanner(allViewFields));
    lines.forEach((_, i) => {
      expect(view.event(batch, i).name).toBe(`e${i % 7000}`);
    });
  });

  test("fields that no plugin named are absent", () => {
    const batch = batchOf(['{"event":"a","action":"b","timestamp":"2026-02-01T00:00:00Z"}']);
    const view = new View(new Scanner(["action"]));
    expect([view.event(batch, 0).names, view.time(batch, 0).kind, view.actor(batch, 0)]).toEqual([
      ["b"],
      TimeKind.none,
      undefined,
    ]);
  });
});

describe("level", () => {
  test.each<[unknown, number]>([
    ["debug", 0],
    ["TRACE", 0],
    ["Info", 1],
    ["notice", 1],
    ["warn", 2],
    ["WARNING", 2],
    ["err", 3],
    ["critical", 3],
    ["fatal", 3],
    ["alert", 3],
    ["emerg", 3],
    [10, 0],
    [20, 0],
    [30, 1],
    [40, 2],
    [50, 3],
    [60, 3],
    [0, 3],
    [3, 3],
    [4, 2],
    [6, 1],
    [7, 0],
    ["30", 1],
    // Unknown ones count as missing: derived, here to info.
    ["audit", 1],
    [8, 1],
    [-1, 1],
    [1e9, 1],
    [null, 1],
    [{}, 1],
    ["", 1],
  ])("%j is %i", (level, expected) => {
    expect(one({ level }).level).toBe(expected);
  });

  test.each<[object, number]>([
    [{ event: "auth.fail" }, Level.error],
    [{ event: "io.error" }, Level.error],
    [{ action: "build_failed" }, Level.error],
    [{ action: "build_failed", success: false }, Level.error],
    [{ action: "fail", resource_type: "auth" }, Level.error],
    [{ action: "anything", success: false }, Level.warning],
    [{ action: "anything", success: 0 }, Level.warning],
    [{ action: "anything", result: "failure" }, Level.warning],
    [{ action: "anything", success: null, result: "FAILURE" }, Level.warning],
    [{ action: "anything", success: true, result: "failure" }, Level.info],
    ...["delete", "kill", "stop", "login", "logout", "create_token", "revoke_token"].map(
      (action) => [{ action, success: true }, Level.warning] as [object, number],
    ),
    ...["create", "revoke", "delete", "rotate"].flatMap((action) => [
      [{ action, resource_type: "token" }, Level.warning] as [object, number],
      [{ action, resource_type: "api_key" }, Level.warning] as [object, number],
    ]),
    [{ action: "create", resource_type: "task" }, Level.info],
    [{ action: "update", resource_type: "policy" }, Level.warning],
    [{ action: "update", resource_type: "task" }, Level.info],
    [{ event: "auth.token.create" }, Level.warning],
    [{ what: "policy_denied" }, Level.warning],
    [{ action: "policy_approval_rejected" }, Level.warning],
    [{ action: "delete", level: "debug" }, Level.debug],
    [{ action: "file_delete" }, Level.info],
    [{}, Level.info],
  ])("derived: %j", (entry, expected) => {
    expect(one(entry).level).toBe(expected);
  });
});

describe("time", () => {
  test.each<[unknown, string | number, number?, number?]>([
    ["2026-02-12T18:30:00Z", "2026-02-12T18:30:00.000Z"],
    ["2026-02-12t18:30:00z", "2026-02-12T18:30:00.000Z"],
    ["2026-02-12 18:30:00+0000", "2026-02-12T18:30:00.000Z"],
    ["2026-02-12T18:30:00.1Z", "2026-02-12T18:30:00.100Z"],
    ["2026-02-12T18:30:00.123456789Z", "2026-02-12T18:30:00.123Z", 456_789],
    ["2026-02-12T18:30:00.1234567891234Z", "2026-02-12T18:30:00.123Z", 456_789],
    ["2026-02-12 18:30:00,5 +01:30", "2026-02-12T17:00:00.500Z", 0, 90],
    ["2026-02-12T18:30:00-08", "2026-02-13T02:30:00.000Z", 0, -480],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
    ["1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999Z", 999_000],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["2017-01-01T00:59:60+01:00", "2017-01-01T00:00:00.000Z", 0, 60],
    ["2026-02-12T18:30:60Z", TimeKind.invalid],
    ["2026-02-12T18:30:00", TimeKind.noZone],
    ["2026-02-12 18:30:00.5", TimeKind.noZone],
    ["2023-02-29T00:00:00Z", TimeKind.invalid],
    ["1900-02-29T00:00:00Z", TimeKind.invalid],
    ["2026-04-31T00:00:00Z", TimeKind.invalid],
    ["2026-00-01T00:00:00Z", TimeKind.invalid],
    ["2026-13-01T00:00:00Z", TimeKind.invalid],
    ["2026-01-00T00:00:00Z", TimeKind.invalid],
    ["2026-01-01T24:00:00Z", TimeKind.invalid],
    ["2026-01-01T00:60:00Z", TimeKind.invalid],
    ["2026-01-01T00:00:00.Z", TimeKind.invalid],
    ["2026-01-01T00:00:00+24:00", TimeKind.invalid],
    ["2026-01-01T00:00:00+1:00", TimeKind.invalid],
    ["2026-01-01T00:00:00Zjunk", TimeKind.invalid],
    ["2026-01-01T00:00:00 CET", TimeKind.invalid],
    ["2026-01-01", TimeKind.invalid],
    ["20:6-01-01T00:00:00Z", TimeKind.invalid],
    ["", TimeKind.invalid],
    ["yesterday", TimeKind.invalid],
    [null, TimeKind.none],
    [{}, TimeKind.invalid],
    [1_770_921_000, "2026-02-12T18:30:00.000Z"],
    [1_770_921_000.25, "2026-02-12T18:30:00.250Z"],
    [1_770_921_000_123, "2026-02-12T18:30:00.123Z"],
    [12, TimeKind.invalid],
    [-1_770_921_000, TimeKind.invalid],
    [true, TimeKind.invalid],
  ])("%j", (timestamp, expected, nanos = 0, offset = 0) => {
    const got = one({ timestamp });
    expect(got.time).toBe(expected);
    if (typeof expected === "string") expect([got.nanos, got.offset]).toEqual([nanos, offset]);
  });

  test.each<[string, string | number, number]>([
    ["1770921000123456", "2026-02-12T18:30:00.123Z", 456_000],
    ["1770921000123456789", "2026-02-12T18:30:00.123Z", 456_789],
    ["1770921000.123456789", "2026-02-12T18:30:00.123Z", 456_789],
    ["1.770921e9", "2026-02-12T18:30:00.000Z", 0],
    ["1e400", TimeKind.invalid, 0],
    ["NaN", TimeKind.invalid, 0],
    ['"2026-02-12T18:30:00\\u005a"', "2026-02-12T18:30:00.000Z", 0],
    ["9".repeat(5000), TimeKind.invalid, 0],
  ])("as written: %s", (text, expected, nanos) => {
    const got = one(`{"timestamp": ${text}}`);
    expect(got.time).toBe(expected);
    if (typeof expected === "string") expect(got.nanos).toBe(nanos);
  });

  test("agrees with Date on random times", () => {
    const batch = (at: Date) => one({ timestamp: at.toISOString() }).time;
    for (let i = 0; i < 500; i++) {
      const at = new Date(Math.floor(((i * 0.618034) % 1) * 253_402_300_799_999));
      expect(batch(at)).toBe(at.toISOString());
    }
  });

  test("the first usable field counts; its span is told", () => {
    expect(one({ timestamp: "soon", time: "2026-02-12T18:30:00Z" }).time).toBe("2026-02-12T18:30:00.000Z");
    expect(one({ timestamp: "2026-02-12T18:30:00", ts: null }).time).toBe(TimeKind.noZone);
    expect(one({ timestamp: "soon", time: "2026-02-12T18:30:00" }).time).toBe(TimeKind.noZone);
    const batch = batchOf(['{"timestamp": "2026-02-12T18:30:00Z"}']);
    const { start, end } = new View(new Scanner(allViewFields)).time(batch, 0);
    expect(batch.buffer.toString("utf8", start, end)).toBe('"2026-02-12T18:30:00Z"');
  });
});

test("actors and resources that are objects", () => {
  const entry = {
    actor: { name: "Ann", id: "u-1" },
    resource: { type: "file", id: "f-9" },
    ip: null,
    details: { ip_address: "::1" },
  };
  expect(one(entry)).toMatchObject({ actor: "u-1", resource: { type: "file", id: "f-9" }, ip: "::1" });
  expect(one({ actor: {}, user_id: null, user: "", who: 7 }).actor).toBe("7");
});
