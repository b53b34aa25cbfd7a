import { describe, expect, test, vi } from "vitest";
import { batchOf } from "../../test/contract/records.ts";
import { fault } from "../../test/fakes/cloudwatch.ts";
import {
  actions,
  cloudwatchOutput,
  entryAt,
  outcome,
  startFake,
  writeAll,
  writeLines,
} from "../../test/fakes/cloudwatch-output.ts";

const line = entryAt(0);
const bad = entryAt(0, ',"bad":true');
const throttled = () => fault(400, "ThrottlingException", "Rate exceeded");

describe("throttling and outages", () => {
  test("a throttled stream waits, one under way is stored; what was stored is not sent again", async () => {
    const fake = await startFake();
    fake.has("g", "a", "b");
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" });
    const batches = ["a", "b"].map((tag) => batchOf([line, line], { tag }));
    fake.gate = (_, { logStreamName }) => void (logStreamName === "a" && fake.faults("PutLogEvents", throttled()));
    expect(actions(await writeAll(output, batches))).toEqual([
      [0, "retry"],
      [1, "retry"],
    ]);
    expect(fake.events.map(({ stream }) => stream)).toEqual(["b", "b"]);
  });

  test("no further stream is asked: the quota is the account's", async () => {
    const fake = await startFake();
    fake.fail("throttled");
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" });
    const batches = Array.from({ length: 50 }, (_, i) => batchOf([line], { tag: `t${i}` }));
    const result = await writeAll(output, batches);
    expect(actions(result).every(([, action]) => action === "retry")).toBe(true);
    expect(result.failed!.size).toBe(50);
    expect(result).toMatchObject({ pauseMs: 3_000 });
    expect(fake.requests.length).toBeLessThanOrEqual(4);
  });

  test("a later request of a stream waits with the one that was throttled, and earlier ones stay stored", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    let puts = 0;
    fake.gate = () => void (++puts === 2 && fake.faults("PutLogEvents", throttled()));
    const lines = [-3, -2, -1, 0].map((day) => entryAt(day * 86_400_000 + (day === 0 ? 1 : 0)));
    expect(actions(await writeLines(await cloudwatchOutput(fake), lines))).toEqual([
      [2, "retry"],
      [3, "retry"],
    ]);
    expect(fake.puts).toEqual([2]);
  });

  test("where nothing may be written, not every stream is asked", async () => {
    const fake = await startFake();
    fake.fail("denied");
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" });
    const batches = Array.from({ length: 200 }, (_, i) => batchOf([line], { tag: `t${i}` }));
    const result = await writeAll(output, batches);
    expect(actions(result)).toEqual(batches.map((_, i) => [i, "block"]));
    expect(fake.requests.length).toBeLessThan(30);
  });

  test("thousands of streams are more than one write does", async () => {
    const fake = await startFake();
    let now = 0;
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" }, { monotonic: () => now });
    fake.gate = () => {
      now += 1_000;
    };
    const batches = Array.from({ length: 50 }, (_, i) => batchOf([line], { tag: `t${i}` }));
    const result = await writeAll(output, batches);
    expect(fake.events.length).toBeGreaterThan(0);
    expect(fake.events.length + result.failed!.size).toBe(50);
    expect([...result.failed!.values()][0]).toEqual({
      action: "retry",
      reason: "50 streams in one write: the rest follows",
    });
  });
});

describe("a request refused as a whole", () => {
  test("is halved: the guilty event alone becomes a dead letter, the others stay in order", async () => {
    const fake = await startFake({ refuse: '"bad"' });
    fake.fail("refused");
    const lines = [0, 1, 2, 3, 4, 5, 6].map((n) => entryAt(n, `,"n":${n}${n === 4 ? ',"bad":1' : ""}`));
    expect(actions(await writeLines(await cloudwatchOutput(fake), lines))).toEqual([[4, "reject"]]);
    expect(fake.events.map(({ message }) => (JSON.parse(message) as { n: number }).n)).toEqual([0, 1, 2, 3, 5, 6]);
  });

  test.each([[[bad, line]], [[bad, bad, bad, line]], [[bad, bad, bad, bad, bad, line, bad, bad]]])(
    "the guilty may come first (%#)",
    async (lines) => {
      const fake = await startFake({ refuse: '"bad"' });
      fake.fail("refused");
      const result = await writeLines(await cloudwatchOutput(fake), lines);
      expect(actions(result)).toEqual(lines.flatMap((one, i) => (one === bad ? [[i, "reject"]] : [])));
      expect(fake.events).toHaveLength(1);
    },
  );

  test("where none is taken, it is the operator's to mend: nothing is buried, and few requests are made", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.gate = (action) =>
      void (action === "PutLogEvents" && fake.faults(action, fault(400, "InvalidParameterException", "this class")));
    const output = await cloudwatchOutput(fake);
    expect(outcome(await writeLines(output, [line]))).toEqual([[0, "block", expect.stringContaining("this class")]]);
    const result = await writeLines(
      output,
      Array.from({ length: 5_000 }, () => line),
    );
    expect(new Set(actions(result).map(([, action]) => action))).toEqual(new Set(["block"]));
    expect(result.failed!.size).toBe(5_000);
    expect(fake.requests.length).toBeLessThan(60);
  });

  test("a service with a lower limit for an event says so: that event is the guilty one, even alone", async () => {
    const fake = await startFake({ maxEvent: 262_144 });
    const large = entryAt(0, `,"x":"${"x".repeat(300_000)}"`);
    const output = await cloudwatchOutput(fake);
    expect(outcome(await writeLines(output, [large]))).toEqual([
      [0, "reject", expect.stringContaining("exceeds limit of 262144")],
    ]);
    expect(actions(await writeLines(output, [large, line, large]))).toEqual([
      [0, "reject"],
      [2, "reject"],
    ]);
    expect(fake.events).toHaveLength(1);
  });

  test("as too large is halved as well", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.faults("PutLogEvents", { status: 413, text: "" });
    expect(await writeLines(await cloudwatchOutput(fake), [line, line])).toEqual({});
    expect(fake.puts).toEqual([1, 1]);
  });
});

describe("answers that the service no longer gives", () => {
  test("an event already accepted is stored", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.faults("PutLogEvents", fault(400, "DataAlreadyAcceptedException", "The given batch was accepted before"));
    expect(await writeLines(await cloudwatchOutput(fake), [line])).toEqual({});
  });

  test("a sequence token is given where it is asked for", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.faults(
      "PutLogEvents",
      fault(400, "InvalidSequenceTokenException", "expected: 7", { expectedSequenceToken: "7" }),
    );
    const tokens: unknown[] = [];
    fake.gate = (_, { sequenceToken }) => void tokens.push(sequenceToken);
    const output = await cloudwatchOutput(fake);
    expect(await writeLines(output, [line])).toEqual({});
    expect(tokens).toEqual([undefined, "7"]);
    fake.faults("PutLogEvents", fault(400, "InvalidSequenceTokenException", "no"));
    expect(actions(await writeLines(output, [line]))).toEqual([[0, "retry"]]);
  });

  test("a rejected entity says nothing of the events", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    const answer = { rejectedEntityInfo: { errorType: "InvalidEntity" } };
    fake.faults("PutLogEvents", { status: 200, text: JSON.stringify(answer) });
    expect(await writeLines(await cloudwatchOutput(fake), [line])).toEqual({});
  });
});

describe("order", () => {
  test("one request of a stream is under way at a time, through all writes; other streams go beside it", async () => {
    const fake = await startFake();
    fake.has("g", "a", "b");
    const open = Promise.withResolvers<void>();
    const arrived: string[] = [];
    fake.gate = async (_, { logStreamName }) => {
      arrived.push(logStreamName);
      if (logStreamName === "a") await open.promise;
    };
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" });
    const first = writeLines(output, [entryAt(0, ',"n":0')], "a");
    await vi.waitFor(() => expect(arrived).toEqual(["a"]));
    const second = writeLines(output, [entryAt(0, ',"n":1')], "a");
    const stop = new AbortController();
    const given = writeAll(output, [batchOf([line], { tag: "a" })], stop.signal);
    expect(await writeLines(output, [line], "b")).toEqual({});
    expect(arrived).toEqual(["a", "b"]);
    stop.abort();
    await expect(given).rejects.toThrow();
    open.resolve();
    expect(await Promise.all([first, second])).toEqual([{}, {}]);
    expect(fake.events.filter(({ stream }) => stream === "a").map(({ message }) => message)).toEqual([
      entryAt(0, ',"n":0'),
      entryAt(0, ',"n":1'),
    ]);
  });

  test("an abort in the middle ends the write; what was stored by then may come again", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    const stop = new AbortController();
    fake.gate = () => (fake.puts.length === 1 ? stop.abort() : undefined);
    const batch = batchOf([entryAt(-90_000_000), entryAt(0)]);
    const output = await cloudwatchOutput(fake);
    await expect(writeAll(output, [batch], stop.signal)).rejects.toThrow();
    fake.gate = () => {};
    expect(await writeAll(output, [batch])).toEqual({});
    expect(new Set(fake.events.map(({ timestamp }) => timestamp)).size).toBe(2);
  });
});

test("what only an operator can mend waits, and other groups are served", async () => {
  const fake = await startFake();
  fake.has("a", "s");
  fake.has("b", "s");
  const output = await cloudwatchOutput(fake, { log_group: "$TAG" });
  fake.gate = (action, { logGroupName }) =>
    void (logGroupName === "a" && fake.faults(action, fault(400, "AccessDeniedException", "not authorized")));
  const batches = ["a", "b"].map((tag) => batchOf([line], { tag }));
  expect(outcome(await writeAll(output, batches))).toEqual([[0, "block", expect.stringContaining("not authorized")]]);
  expect(fake.events.map(({ group }) => group)).toEqual(["b"]);
});
