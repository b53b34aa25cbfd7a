import { expect, test } from "vitest";
import type { HistoryView, PipelineView } from "../../agent/api/operate.ts";
import { inputView, ledgerOf, NOON, outputView, wellView } from "../../test/fakes/operate-views.ts";
import { Timeline } from "./timeline.ts";

const START = NOON / 1000;
const at = (seconds: number, read: number, delivered: number, backlog = 0): PipelineView => ({
  ...wellView(),
  time: new Date(NOON + seconds * 1000).toISOString(),
  inputs: [inputView("in", { read: { records: read, bytes: 0 }, lag: { bytes: 1, seconds: 3, files: 1 } })],
  outputs: [
    outputView("out", {
      ledger: ledgerOf({ delivered }),
      backlog: { records: backlog, bytes: 0, oldest_seconds: backlog / 10 },
    }),
  ],
});
const history: HistoryView = {
  interval_seconds: 5,
  times: [START - 10, START - 5, START],
  read: { in: [0, 50, 100] },
  lag: { in: [0, 1, 2] },
  outputs: { out: { delivered: [null, 40, 80], backlog: [null, 10, 20], oldest_seconds: [null, 1, 2] } },
};

test("the history, as rates", () => {
  const timeline = new Timeline();
  timeline.begin(history);
  expect(timeline.read(["in"])).toEqual([null, 10, 10]);
  expect(timeline.delivered("out")).toEqual([null, null, 8]);
  expect(timeline.lag(["in", "unknown"])).toEqual([0, 1, 2]);
  expect(timeline.column("backlog", "unknown")).toEqual([]);
});

test("views go on where the history ends, though a ledger counts from earlier on, and those within an interval replace each other", () => {
  const timeline = new Timeline();
  timeline.begin(history);
  // A million were delivered before this start of the agent.
  timeline.add(at(1, 110, 1_000_088, 5));
  timeline.add(at(2, 120, 1_000_096, 6));
  expect(timeline.times).toEqual([START - 10, START - 5, START, START + 2]);
  expect(timeline.delivered("out").slice(2)).toEqual([8, 8]);
  expect(timeline.read(["in"]).slice(2)).toEqual([10, 10]);
  timeline.add(at(5, 150, 1_000_120, 7));
  timeline.add(at(6, 250, 1_000_130, 8));
  expect(timeline.times.slice(2)).toEqual([START, START + 5, START + 6]);
  expect(timeline.column("backlog", "out").slice(2)).toEqual([20, 7, 8]);
  expect(timeline.read(["in"]).slice(3)).toEqual([10, 25]);
});

test("it keeps an hour, and no more samples than an hour has", () => {
  const timeline = new Timeline();
  for (let second = 0; second <= 4000; second++) timeline.add(at(second, second, second));
  expect(timeline.times[0]).toBeGreaterThanOrEqual(START + 400);
  expect(timeline.times.length).toBeLessThanOrEqual(722);
  expect(timeline.column("backlog", "out")).toHaveLength(timeline.times.length);
});

test("without a history it begins with the first view; a new output has no past, an old one no future", () => {
  const timeline = new Timeline();
  timeline.add(at(0, 0, 0));
  timeline.add({ ...at(5, 0, 0), outputs: [outputView("new")] });
  expect(timeline.column("backlog", "new")).toEqual([null, 0]);
  expect(timeline.column("backlog", "out")).toEqual([0, null]);
});

test("a clock that was set back begins anew", () => {
  const timeline = new Timeline();
  timeline.begin(history);
  timeline.add(at(-3600, 0, 0));
  expect(timeline.times).toEqual([START - 3600]);
});

test("an agent that was started anew has a gap, no rate below zero", () => {
  const timeline = new Timeline();
  timeline.begin({ ...history, read: { in: [90, 100, 10] } });
  expect(timeline.read(["in"])).toEqual([null, 2, null]);
});
