import { expect, test } from "vitest";
import type { PipelineView } from "../../agent/api/operate.ts";
import { inputView, ledgerOf, NOON, outputView, wellView } from "../../test/fakes/operate-views.ts";
import { RateMeter, rateOf, total } from "./rates.ts";

const at = (seconds: number, read: number, delivered: number, more: Partial<PipelineView> = {}): PipelineView => ({
  ...wellView(),
  time: new Date(NOON + seconds * 1000).toISOString(),
  inputs: [inputView("in", { read: { records: read, bytes: read * 100 } })],
  outputs: [outputView("out", { ledger: ledgerOf({ read, delivered, queued: read - delivered }) })],
  ...more,
});

test("nothing is known from one view", () => {
  const rates = new RateMeter().add(at(0, 10, 10));
  expect(rateOf(rates, "in", "read")).toBeUndefined();
  expect(total(rates, [{ alias: "in" }], "read")).toBeUndefined();
});

test("a rate is that of the last five seconds", () => {
  const meter = new RateMeter();
  let rates = meter.add(at(0, 0, 0));
  for (let second = 1; second <= 10; second++) rates = meter.add(at(second, second <= 5 ? 0 : (second - 5) * 100, 0));
  expect(rateOf(rates, "in", "read")).toBe(100);
  expect(rateOf(rates, "in", "read_bytes")).toBe(10_000);
  expect(total(rates, [{ alias: "in" }, { alias: "unknown" }], "read")).toBe(100);
});

test("an agent that was started anew, a clock set back and a counter begun anew make no rate", () => {
  const meter = new RateMeter();
  meter.add(at(0, 500, 500));
  const anew = meter.add(at(1, 3, 3, { started_at: new Date(NOON).toISOString() }));
  expect(rateOf(anew, "in", "read")).toBeUndefined();
  const back = meter.add(at(-60, 4, 4, { started_at: new Date(NOON).toISOString() }));
  expect(rateOf(back, "in", "read")).toBeUndefined();
  const less = meter.add(at(-59, 1, 8, { started_at: new Date(NOON).toISOString() }));
  expect(rateOf(less, "in", "read")).toBeUndefined();
  expect(rateOf(less, "out", "delivered")).toBe(4);
});

test("a backlog may shrink", () => {
  const meter = new RateMeter();
  const waiting = (seconds: number, records: number) =>
    at(seconds, 0, 0, { outputs: [outputView("out", { backlog: { records, bytes: 0, oldest_seconds: 1 } })] });
  meter.add(waiting(0, 100));
  expect(rateOf(meter.add(waiting(1, 60)), "out", "backlog")).toBe(-40);
});
