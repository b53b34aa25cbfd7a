import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { PipelineStatus } from "../api/status.ts";
import { output, pipeline, START } from "./harness.ts";
import { createHistory } from "./history.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

/** A history whose counters grow by one with each sample. */
function made(status: () => PipelineStatus | undefined) {
  const time = { ms: 0 };
  let asked = 0;
  const history = createHistory({
    clock: { now: () => START + time.ms, monotonic: () => time.ms },
    status: () => {
      asked++;
      return status();
    },
    counter: (name, alias) => (name === "read_records" ? asked : asked * 10 + (alias?.length ?? 0)),
  });
  const pass = (samples: number) => {
    for (let i = 0; i < samples; i++) {
      time.ms += 5000;
      vi.advanceTimersByTime(5000);
    }
  };
  return { history, pass, asked: () => asked };
}

test("nothing is sampled before somebody wants it, nor after the end", () => {
  const { history, pass, asked } = made(() => pipeline());
  pass(3);
  expect([asked(), vi.getTimerCount()]).toEqual([0, 0]);
  expect(history.view()).toEqual({ interval_seconds: 5, times: [], read: {}, lag: {}, outputs: {} });
  history.start();
  history.start();
  pass(2);
  expect(asked()).toBe(3);
  history.close();
  pass(3);
  expect([asked(), vi.getTimerCount()]).toEqual([3, 0]);
  expect(history.view().times).toHaveLength(3);
});

test("samples of every part, as long as the times", () => {
  const lag = { followed: 1, bytes: 9, ms: 1500, files: [] };
  const { history, pass } = made(() => pipeline({ inputs: [{ ...pipeline().inputs[0]!, lag }] }));
  history.start();
  pass(2);
  const begin = START / 1000;
  expect(history.view()).toEqual({
    interval_seconds: 5,
    times: [begin, begin + 5, begin + 10],
    read: { tail: [1, 2, 3] },
    lag: { tail: [1.5, 1.5, 1.5] },
    outputs: { es: { delivered: [12, 22, 32], backlog: [3, 3, 3], oldest_seconds: [0, 5, 10] } },
  });
});

test("an hour is kept; parts come and go, and are forgotten when the hour has none of them", () => {
  let now: PipelineStatus | undefined;
  const { history, pass } = made(() => now);
  history.start();
  now = pipeline();
  pass(1);
  now = pipeline({ outputs: [output({ alias: "new" })], inputs: [] });
  pass(2);
  const short = history.view();
  expect(short.read).toEqual({ tail: [null, 2, null, null] });
  expect(short.outputs.es!.backlog).toEqual([null, 3, null, null]);
  expect(short.outputs.new!.backlog).toEqual([null, null, 3, 3]);
  // An input that reads no files has no lag.
  expect(short.lag).toEqual({ tail: [null, null, null, null] });
  pass(717);
  expect(history.view().times).toHaveLength(720);
  expect(history.view().outputs.es!.backlog.slice(0, 2)).toEqual([3, null]);
  pass(1);
  const long = history.view();
  expect(Object.keys(long.outputs)).toEqual(["new"]);
  expect(long.read).toEqual({});
  expect(long.times).toHaveLength(720);
  expect(long.outputs.new!.delivered).toHaveLength(720);
  expect(long.times[719]! - long.times[0]!).toBe(719 * 5);
});

test("ten thousand reloads with other names take bounded memory", () => {
  let n = 0;
  const { history, pass } = made(() => pipeline({ outputs: [output({ alias: `output-${n++}` })] }));
  history.start();
  pass(10_000);
  expect(Object.keys(history.view().outputs).length).toBeLessThanOrEqual(100);
});

test("a status that cannot be had is tried again", () => {
  let fails = true;
  const { history, pass } = made(() => {
    if (fails) throw new Error("closing");
    return pipeline();
  });
  history.start();
  fails = false;
  pass(1);
  expect(history.view().read).toEqual({ tail: [2] });
});
