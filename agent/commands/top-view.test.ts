import { expect, test } from "vitest";
import { viewFor } from "../../test/fakes/agent-socket.ts";
import type { InputView, OutputView, PipelineView, QueueView } from "../api/operate.ts";
import { cut, pad, sparkline, widthOf } from "./columns.ts";
import { advance, begin, render, type TopState } from "./top-view.ts";

const since = "2026-02-01T10:00:00.000Z";
const part = (alias: string) => ({ alias, plugin: "x", state: "ok", since, reason: null }) as const;

function input(alias: string, records = 0): InputView {
  return {
    ...part(alias),
    tag: alias,
    read: { records, bytes: records * 100 },
    lag: { bytes: 2048, seconds: 3, files: 2 },
    files: [],
  };
}

function output(alias: string, delivered = 0, more: Partial<OutputView> = {}): OutputView {
  const ledger = { read: delivered, created: 0, filtered: 0, delivered, rejected: 0, lost: 0, queued: 0 };
  return {
    ...part(alias),
    match: ["*"],
    guarantee: "exactly-once",
    paused: false,
    stalled: false,
    backlog: { records: 0, bytes: 0, oldest_seconds: 0 },
    in_flight: 0,
    ledger,
    imbalance: 0,
    delivered_bytes: 0,
    retries: 0,
    last_progress: null,
    ...more,
  };
}

const queue: QueueView = {
  ...{ state: "ok", since, reason: null, segments: 8, oldest_seconds: 90 },
  ...{ bytes: 256 * 1024 ** 2, max_bytes: 1024 ** 3 },
};

function view(second: number, more: Partial<PipelineView> = {}): PipelineView {
  const time = new Date(Date.UTC(2026, 1, 1, 12, 0, second)).toISOString();
  const outputs = [output("elastic", 1_000 * second), output("archive", 500 * second)];
  return viewFor({
    time,
    started_at: since,
    queue,
    inputs: [input("tail", 1_500 * second)],
    outputs,
    filters: [],
    ...more,
  });
}

function after(seconds: number, more: Partial<PipelineView> = {}): TopState {
  let state = begin(view(0, more));
  for (let second = 1; second <= seconds; second++) state = advance(state, view(second, more));
  return state;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what is taken out
const plain = (line: string) => line.replace(/\x1b\[\d+m/g, "");

test("80 by 24: everything in its place, exactly as large as the screen", () => {
  const lines = render(after(3), { columns: 80, rows: 24 }, false);
  expect(lines).toHaveLength(24);
  expect(lines.every((line) => widthOf(line) <= 80)).toBe(true);
  expect(lines.slice(0, 10)).toMatchInlineSnapshot(`
    [
      "OK  audit-agent 1.2.3 on host, up 2 h 0 min  2026-02-01 12:00:03",
      "",
      "  input                          read/s         read     behind       for  files",
      "  tail                ok          1,500        4,500      2 KiB     3.0 s      2",
      "",
      "  output                sent/s    delivered    waiting    oldest rejected   lost",
      "▸ elastic    ok          1,000        3,000          0         -        0      0",
      "  archive    ok            500        1,500          0         -        0      0",
      "",
      "  queue █████░░░░░░░░░░░░░░░ 25 %, 256 MiB of 1 GiB, the oldest waits for 1 min",
    ]
  `);
  expect(lines.at(-1)).toBe("q quit   ↑↓ choose an output   p pause or resume it   d its dead letters");
});

test("120 by 40: bars of what was delivered", () => {
  const steady = after(30);
  const lines = render(steady, { columns: 120, rows: 40 }, false);
  expect(lines).toHaveLength(40);
  expect(lines.every((line) => widthOf(line) <= 120)).toBe(true);
  expect(lines.find((line) => line.includes("elastic"))).toMatch(/^▸ elastic +ok +1,000 +30,000 .*█{10}$/);
});

test.each([
  [1, 1],
  [10, 3],
  [40, 8],
  [80, 12],
  [300, 100],
])("%i by %i: as many lines as rows, none wider, whatever is in it", (columns, rows) => {
  const many = Array.from({ length: 50 }, (_, i) =>
    output(`out-${i}`, i, { backlog: { records: i, bytes: 1, oldest_seconds: 1 } }),
  );
  const problems = ["output out-1: blocked since yesterday: \x1b[2J\u202e日本語".repeat(3), "b", "c", "d", "e"];
  const state = after(2, {
    outputs: many,
    problems,
    status: "degraded",
    inputs: Array.from({ length: 30 }, (_, i) => input(`in-${i}`)),
  });
  for (const colours of [true, false]) {
    const lines = render({ ...state, selected: 33 }, { columns, rows }, colours);
    expect(lines).toHaveLength(rows);
    for (const line of lines) expect(widthOf(plain(line))).toBeLessThanOrEqual(columns);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(lines.map(plain).join("")).not.toMatch(/[\x00-\x1f\u202e]/);
  }
});

test("of more outputs than there is room for the chosen one is always there", () => {
  const outputs = Array.from({ length: 50 }, (_, i) => output(`out-${i}`));
  for (const selected of [0, 20, 49]) {
    const lines = render({ ...after(1, { outputs }), selected }, { columns: 80, rows: 24 }, false);
    expect(lines.filter((line) => line.startsWith("▸"))).toEqual([expect.stringContaining(`out-${selected} `)]);
    expect(lines.join("\n")).toMatch(/and \d+ more/);
  }
});

test("no colours where none are wanted", () => {
  const state = after(2, {
    status: "failed",
    problems: ["queue: failed"],
    outputs: [output("x", 0, { state: "blocked" })],
  });
  expect(render(state, { columns: 80, rows: 24 }, false).join("")).not.toContain("\x1b");
  expect(render(state, { columns: 80, rows: 24 }, true).join("")).toContain("\x1b[31m");
});

test("trouble is said: problems, what is paused, a queue that is nearly full, breaks, dead letters, orphans, an agent that has gone", () => {
  const chains = { count: 2, verified: 1_000, breaks: 1, groups: [] };
  const state = after(1, {
    status: "degraded",
    problems: ["output elastic: blocked since 10:00: HTTP 401", "b", "c", "d", "e"],
    outputs: [output("elastic", 1, { paused: true, state: "blocked" }), output("archive", 1, { stalled: true })],
    queue: { ...queue, bytes: 1000 * 1024 ** 2, state: "blocked", reason: "the queue is full" },
    filters: [{ ...part("chain"), match: [], filtered: 0, created: 0, chains }],
    dead_letters: { records: 7, bytes: 700 },
    orphans: [{ alias: "old", records: 1_234, bytes: 1 }],
  });
  const text = render(state, { columns: 100, rows: 24 }, false).join("\n");
  expect(text).toContain("! output elastic: blocked since 10:00: HTTP 401");
  expect(text).toContain("! and 2 more");
  expect(text).toMatch(/▸ elastic +paused/);
  expect(text).toMatch(/archive +stalled/);
  expect(text).toMatch(/queue █{20} 98 %, 1000 MiB of 1 GiB, blocked: the queue is full, the oldest/);
  expect(text).toContain("chain: 2 chains, 1,000 entries verified, 1 break");
  expect(text).toContain("7 dead letters; 1,234 entries wait for old, which is no output");
  const gone = render({ ...state, gone: true, message: "Nothing is heard" }, { columns: 80, rows: 24 }, false);
  expect(gone[0]).toMatch(/^GONE {2}audit-agent/);
  expect(gone.at(-1)).toBe("Nothing is heard");
});

test("rates: of what came between two views; a new start makes none", () => {
  const state = after(2);
  expect(state.rates.get("input tail")).toEqual([1_500, 1_500]);
  expect(state.rates.get("output elastic")).toEqual([1_000, 1_000]);
  const slow = advance(state, view(12, { outputs: [output("elastic", 2_500), output("new", 7)] }));
  expect(slow.rates.get("output elastic")).toEqual([1_000, 1_000, 50]);
  expect(slow.rates.get("output new")).toEqual([]);
  expect(slow.rates.has("output archive")).toBe(false);
  expect(
    advance(slow, view(13, { outputs: [output("elastic", 3)] }))
      .rates.get("output elastic")!
      .at(-1),
  ).toBe(0);
  // What is chosen stays one of those there are.
  expect(advance({ ...state, selected: 1 }, view(3, { outputs: [output("elastic")] })).selected).toBe(0);
});

test("dead letters of an output, as many as there is room for", () => {
  const letter = (i: number) => ({
    ...{ id: `A-${i}`, output: "elastic", time: since, reason: `no such\nfield ${i}`, attempts: 1, tag: "t" },
    ...{ path: null, offset: 0, original: `{"n":${i}}`, encoding: "utf8" as const },
  });
  const page = { letters: Array.from({ length: 30 }, (_, i) => letter(i)), next: "30", total: 90 };
  const mode = { is: "letters", alias: "elastic", page } as const;
  const lines = render({ ...after(1), mode }, { columns: 80, rows: 24 }, false);
  expect(lines[2]).toBe("90 dead letters of elastic, oldest first");
  expect(lines[3]).toBe("2026-02-01 10:00:00  no such\\x0afield 0");
  expect(lines[4]).toBe('    A-0  {"n":0}');
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}and 8\d more: audit-agent dead-letters list$/));
  expect(lines).toHaveLength(24);
  expect(render({ ...after(1), mode: { ...mode, page: undefined } }, { columns: 80, rows: 24 }, false)[2]).toContain(
    "Dead letters of",
  );
});

test("columns: wide characters take two, what is cut says so, nothing moves the cursor", () => {
  expect([widthOf("abc"), widthOf("日本"), widthOf("e\u0301")]).toEqual([3, 4, 1]);
  expect([cut("abcdef", 4), cut("日本語", 4), cut("abc", 0), cut("a\tb", 9)]).toEqual(["abc…", "日…", "", "a\\x09b"]);
  expect([pad("ab", 4), pad("ab", 4, "right"), pad("日本語", 4)]).toEqual(["ab  ", "  ab", "日… "]);
  expect(sparkline([0, 1, 4, 8], 6)).toBe("   ▂▅█");
  expect(sparkline([], 3)).toBe("   ");
});
