/** The output within its lane: what the answers come to. */
import { expect, onTestFinished, test } from "vitest";
import { fault } from "../../test/fakes/cloudwatch.ts";
import { cloudwatchOutput, entryAt, startFake } from "../../test/fakes/cloudwatch-output.ts";
import { LaneBench, until } from "../../test/fakes/lane.ts";
import definition from "./index.ts";

const lines = (count: number, ms: number) => Array.from({ length: count }, (_, n) => entryAt(ms, `,"n":${n}`));
const OLD = -20 * 86_400_000;

async function bench(): Promise<LaneBench> {
  const made = await LaneBench.open();
  onTestFinished(() => made.remove());
  return made;
}

test("a whole backlog that is too old becomes dead letters, and what came since is delivered", async () => {
  const fake = await startFake();
  const lanes = await bench();
  await lanes.lane("c", await cloudwatchOutput(fake), { limits: { records: 100, bytes: 1_000_000, overhead: 26 } });
  await lanes.append(lines(250, OLD));
  await lanes.append(lines(5, 0));
  await until(() => fake.events.length === 5);
  await until(() => lanes.of("rejected").reduce((sum, { records }) => sum + records, 0) === 250);
  expect(lanes.of("component").map(({ state }) => state)).not.toContain("blocked");
});

test("batches are near the limits while there is a backlog", async () => {
  const fake = await startFake();
  const lanes = await bench();
  const open = Promise.withResolvers<void>();
  // The lane has to wait for the first until all the others are there.
  fake.gate = () => open.promise;
  await lanes.lane("c", await cloudwatchOutput(fake), { limits: definition.limits });
  await lanes.append(lines(1, 0));
  await until(() => fake.actions.length > 0);
  const large = entryAt(0, `,"x":"${"x".repeat(400)}"`);
  for (let i = 0; i < 9; i++) await lanes.append(Array.from({ length: 1_000 }, () => large));
  open.resolve();
  await until(() => fake.events.length === 9_001);
  const bytes = fake.puts.map((count) => count * (large.length + 26));
  expect(bytes.slice(1, -1).every((one) => one > 990_000)).toBe(true);
  expect(fake.puts).toHaveLength(6);
});

test("a throttled lane waits, and delivers each entry once", async () => {
  const fake = await startFake();
  const lanes = await bench();
  const throttled = fault(400, "ThrottlingException", "Rate exceeded");
  fake.faults("PutLogEvents", throttled, throttled);
  await lanes.lane("c", await cloudwatchOutput(fake));
  await lanes.append(lines(30, 0));
  await until(() => fake.events.length >= 30);
  await until(() => lanes.of("delivered").reduce((sum, { records }) => sum + records, 0) === 30);
  expect(fake.events.map(({ message }) => message)).toEqual(lines(30, 0));
  expect(lanes.of("retry").map(({ reason }) => reason)).toEqual([
    "ThrottlingException: Rate exceeded",
    "ThrottlingException: Rate exceeded",
  ]);
});

test("a lone entry that is refused waits for another to be taken, then becomes a dead letter", async () => {
  const fake = await startFake({ refuse: '"bad"' });
  fake.fail("refused");
  const lanes = await bench();
  await lanes.lane("c", await cloudwatchOutput(fake));
  await lanes.append([entryAt(0, ',"bad":1')]);
  await until(() => lanes.of("component").some(({ state }) => state === "blocked"));
  await lanes.append(lines(1, 0));
  await until(() => lanes.of("rejected").length === 1);
  expect(fake.events.map(({ message }) => message)).toEqual(lines(1, 0));
});
