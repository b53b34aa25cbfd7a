import { expect, test } from "vitest";
import type { PipelineView } from "../../agent/api/operate.ts";
import { chainView, inputView, ledgerOf, NOON, outputView, wellView } from "../../test/fakes/operate-views.ts";
import type { Rates } from "./rates.ts";
import { titleOf, verdictOf } from "./verdict.ts";

const STILL: Rates = { perSecond: new Map() };
// Local, as the reader's.
const HALF_PAST = new Date(2026, 1, 12, 10, 32).toISOString();

const well = (more: Partial<PipelineView> = {}): PipelineView => ({ ...wellView(), time: HALF_PAST, ...more });
const withOutput = (more: Parameters<typeof outputView>[1]) =>
  well({ outputs: [outputView("es", more), outputView("s3")] });
const waiting = { records: 12_431, bytes: 5_817_708, oldest_seconds: 252 };
const down = { state: "degraded", since: HALF_PAST, last_progress: null, backlog: waiting } as const;

test.each<[string, PipelineView, string, string]>([
  ["all is well", well(), "ok", "Nothing lost. All caught up."],
  ["starting", well({ ready: false }), "starting", "The agent is starting."],
  [
    "a destination is down",
    withOutput(down),
    "bad",
    "es has been down since 10:32: 12,431 entries wait, nothing lost.",
  ],
  [
    "one entry waits",
    withOutput({ ...down, backlog: { ...waiting, records: 1 } }),
    "bad",
    "es has been down since 10:32: 1 entry waits, nothing lost.",
  ],
  [
    "blocked",
    withOutput({ ...down, state: "blocked" }),
    "bad",
    "es has been blocked since 10:32: 12,431 entries wait, nothing lost.",
  ],
  ["failed", withOutput({ ...down, state: "failed" }), "bad", "es failed at 10:32: 12,431 entries wait, nothing lost."],
  [
    "trouble",
    withOutput({ ...down, last_progress: new Date(NOON + 10 ** 9).toISOString() }),
    "warn",
    "es has had trouble since 10:32, but goes on: 12,431 entries wait, nothing lost.",
  ],
  [
    "stalled",
    withOutput({ stalled: true, backlog: waiting }),
    "warn",
    "es settles nothing: 12,431 entries wait, nothing lost, the oldest for 4 min.",
  ],
  ["paused", withOutput({ paused: true }), "warn", "es is paused: nothing waits, nothing lost."],
  [
    "behind",
    withOutput({ backlog: waiting }),
    "busy",
    "Nothing lost. es is staying behind: 12,431 entries to go, the oldest from 4 min ago.",
  ],
  [
    "an input is behind",
    well({ inputs: [inputView("tail", { lag: { bytes: 12e6, seconds: 95, files: 2 } })] }),
    "busy",
    "Nothing lost. tail is 1 min behind its files: 12.0 MB to read.",
  ],
  [
    "an input failed",
    well({ inputs: [inputView("tail", { state: "failed", since: HALF_PAST })] }),
    "bad",
    "tail has read nothing since 10:32.",
  ],
  [
    "lost before",
    withOutput({ ledger: ledgerOf({ read: 130, delivered: 2, lost: 128 }) }),
    "ok",
    "Nothing is being lost now (128 earlier). All caught up.",
  ],
  [
    "vanished before",
    well({ lost_at_input_bytes: 4096 }),
    "ok",
    "Nothing is being lost now (4.1 kB earlier). All caught up.",
  ],
  [
    "unbalanced",
    withOutput({ ledger: ledgerOf({ read: 10, delivered: 7 }) }),
    "bad",
    "The ledger of es does not balance: 3 entries unaccounted for.",
  ],
  [
    "counted twice",
    withOutput({ ledger: ledgerOf({ read: 10, delivered: 11 }) }),
    "bad",
    "The ledger of es does not balance: 1 entry counted twice.",
  ],
  [
    "the queue is full",
    well({ queue: { ...wellView().queue, state: "blocked", since: HALF_PAST, bytes: 10e9 } }),
    "bad",
    "The queue has taken nothing since 10:32 (10.0 GB of 10.0 GB): the inputs wait.",
  ],
  [
    "the queue is nearly full",
    well({ queue: { ...wellView().queue, bytes: 8.74e9 } }),
    "warn",
    "The queue is 87 % full (8.7 GB of 10.0 GB); once full, the inputs wait.",
  ],
  [
    "dead letters",
    well({ dead_letters: { records: 1, bytes: 400 } }),
    "warn",
    "1 entry was refused for good and waits as dead letters for a decision.",
  ],
  [
    "something only the agent knows of",
    well({ problems: ["dead letters: failed since 10:32: EROFS"] }),
    "warn",
    "dead letters: failed since 10:32: EROFS.",
  ],
])("%s", (_, view, mood, headline) => {
  const verdict = verdictOf(view, STILL);
  expect([verdict.mood, verdict.headline]).toEqual([mood, headline]);
});

test("what is being lost now comes before all else", () => {
  const losing = outputView("syslog", {
    ledger: ledgerOf({ read: 200, delivered: 100, lost: 100 }),
    reason: "max_age",
  });
  const rates = { perSecond: new Map([["lost syslog", 12]]) };
  const verdict = verdictOf(well({ outputs: [outputView("es", down), losing] }), rates);
  expect(verdict.headline).toBe("syslog is losing entries: 100 so far.");
  expect(verdict.reason).toBe("max_age");
  expect(verdict.others.map(({ level }) => level)).toEqual(["bad"]);
  expect(titleOf(verdict, true)).toBe("● 2 problems – audit-agent");
  expect(titleOf(verdict, false)).toBe("○ not connected – audit-agent");
});

test("catching up says how long it will take", () => {
  const rates = { perSecond: new Map([["backlog es", -103]]) };
  expect(verdictOf(withOutput({ backlog: waiting }), rates).headline).toContain("done in about 2 min");
});

test("a broken chain is explained, and not said a second time by its filter", () => {
  const last_break = {
    kind: "edited",
    explanation: "the entry was changed after it was written",
    path: "/logs/audit-1.jsonl",
    offset: 4812,
    at: HALF_PAST,
  };
  const view = well();
  const groups = [chainView("/logs/audit-*.jsonl", { state: "stopped", breaks: 2, last_break })];
  const filter = {
    ...view.filters[0]!,
    state: "degraded" as const,
    chains: { count: 1, verified: 9, breaks: 2, groups },
  };
  const problems = ["filter chain: degraded since 10:32: 2 breaks"];
  const verdict = verdictOf({ ...view, filters: [filter], problems }, STILL);
  expect(verdict.headline).toBe("The hash chain of /logs/audit-*.jsonl is broken, and reading has stopped there.");
  expect(verdict.reason).toBe(
    "The entry was changed after it was written (audit-1.jsonl, byte 4,812, 10:32; 2 breaks in all)",
  );
  expect(verdict.others).toEqual([]);
});

test("what the agent says of a part is not said twice", () => {
  const view = { ...withOutput(down), problems: ["output es: degraded since 10:32: ECONNREFUSED"] };
  expect(verdictOf(view, STILL).others).toEqual([]);
});

test("notes are no problems", () => {
  const report = { at: HALF_PAST, by: "SIGHUP", applied: true, changes: [], kept: 3, problems: ["service.data_dir"] };
  const orphans = [{ alias: "old", records: 12, bytes: 90 }];
  const verdict = verdictOf(well({ orphans, last_reload: report }), STILL);
  expect(verdict.mood).toBe("ok");
  expect(verdict.others.map(({ text }) => text)).toEqual([
    "12 entries wait for old, which is no longer configured",
    "Some changes take effect at the next start",
  ]);
  expect(titleOf(verdict, true)).toBe("✓ audit-agent");
  const refused = verdictOf(well({ last_reload: { ...report, applied: false } }), STILL);
  expect(refused.headline).toBe("The new configuration was not taken at 10:32; the old one goes on.");
});
