import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchOf } from "../../test/contract/records.ts";
import {
  cloudwatchOutput,
  entryAt,
  HOUR,
  NOW,
  outcome,
  startFake,
  writeAll,
  writeLines,
} from "../../test/fakes/cloudwatch-output.ts";
import { seeded } from "../../test/fakes/random.ts";
import { MAX_EVENT_BYTES } from "./limits.ts";

const numbers = (fake: { events: readonly { message: string }[] }) =>
  fake.events.map(({ message }) => (JSON.parse(message) as { n: number }).n);
const DAY = 24 * HOUR;

describe("time", () => {
  test("events go out in order of time, those of one millisecond in their own, requests span no more than a day", async () => {
    const fake = await startFake();
    const hours = [-50, -1, -30, -1, -49, -2];
    const lines = hours.map((hour, n) => entryAt(hour * HOUR, `,"n":${n}`));
    expect(await writeLines(await cloudwatchOutput(fake), lines)).toEqual({});
    expect(numbers(fake)).toEqual([0, 4, 2, 5, 1, 3]);
    expect(fake.puts).toEqual([3, 3]);
  });

  test("microseconds are cut, not rounded, and do not change the order of the entries", async () => {
    const fake = await startFake();
    const times = ["11:00:00.000900Z", "11:00:00.000100Z", "12:59:59.9999999+02:00", "11:00:00.001Z"];
    const lines = times.map((time, n) => `{"timestamp":"2026-02-15T${time}","n":${n}}`);
    expect(await writeLines(await cloudwatchOutput(fake), lines)).toEqual({});
    expect(numbers(fake)).toEqual([2, 0, 1, 3]);
    expect(fake.events.map(({ timestamp }) => timestamp - (NOW - HOUR))).toEqual([-1, 0, 0, 1]);
  });

  test("an entry without a usable time has the time when it was read", async () => {
    const fake = await startFake();
    const lines = ['{"n":0}', '{"timestamp":"2026-02-15T11:30:00","n":1}', '{"timestamp":"soon","n":2}', "no json"];
    expect(await writeLines(await cloudwatchOutput(fake), lines)).toEqual({});
    expect(fake.events.map(({ timestamp }) => timestamp)).toEqual([NOW - HOUR, NOW - HOUR, NOW - HOUR, NOW - HOUR]);
  });

  test("exactly what the service rejects becomes dead letters, through the sort and for each stream by itself", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG" });
    const lines = (hours: number[]) => hours.map((hour) => entryAt(hour * HOUR));
    const batches = [
      batchOf(lines([0, -400, 1, 3, -337, -335]), { tag: "a" }),
      batchOf(lines([5, 0]), { tag: "b" }),
      batchOf(lines([-1, -500]), { tag: "a" }),
    ];
    const old = "more than 14 days old";
    const next = "more than 2 hours ahead of the service's clock";
    expect(outcome(await writeAll(output, batches))).toEqual([
      [1, "reject", old],
      [3, "reject", next],
      [4, "reject", old],
      [6, "reject", next],
      [9, "reject", old],
    ]);
    expect(fake.events).toHaveLength(5);
  });

  test.each([
    [-14 * DAY - 1, false],
    [-14 * DAY, true],
    [-14 * DAY + 1, true],
    [2 * HOUR - 1, true],
    [2 * HOUR, true],
    [2 * HOUR + 1, false],
  ])("at the edge: %i ms is taken: %s", async (ms, taken) => {
    const fake = await startFake();
    expect(outcome(await writeLines(await cloudwatchOutput(fake), [entryAt(ms)]))).toHaveLength(taken ? 0 : 1);
    const other = await startFake();
    const output = await cloudwatchOutput(other, { out_of_range: "read_time" });
    expect(await writeLines(output, [entryAt(ms)])).toEqual({});
    expect(other.events.map(({ timestamp }) => timestamp)).toEqual([taken ? NOW + ms : NOW - HOUR]);
    expect(other.puts, "known before it is asked").toEqual([1]);
  });

  test("what is older than the group's retention becomes a dead letter", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.groups.get("g")!.retention = 3;
    const lines = [-1, -4, -20].map((days) => entryAt(days * DAY));
    expect(outcome(await writeLines(await cloudwatchOutput(fake), lines))).toEqual([
      [1, "reject", "older than the group's retention"],
      [2, "reject", "more than 14 days old"],
    ]);
  });

  test("with read_time it is sent once more, with the present time", async () => {
    const fake = await startFake();
    fake.has("g", "s");
    fake.groups.get("g")!.retention = 3;
    const lines = [-4, 0].map((days) => entryAt(days * DAY, `,"n":${days}`));
    const output = await cloudwatchOutput(fake, { out_of_range: "read_time" });
    expect(await writeLines(output, lines)).toEqual({});
    expect(fake.events.map(({ timestamp }) => timestamp)).toEqual([NOW, NOW]);
    expect(numbers(fake)).toEqual([0, -4]);
  });

  test("before 1970 is too old, and a far future too new, like any other time", async () => {
    const fake = await startFake();
    const lines = ["1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"];
    const result = await writeLines(
      await cloudwatchOutput(fake),
      lines.map((time) => `{"timestamp":"${time}"}`),
    );
    expect(outcome(result).map(([, , reason]) => reason)).toEqual([
      "more than 14 days old",
      "more than 14 days old",
      expect.stringContaining("ahead"),
    ]);
  });
});

describe("size", () => {
  /** An entry of so many bytes, of which most are é. */
  const sized = (bytes: number) => {
    const frame = Buffer.byteLength(entryAt(0, ',"x":""'));
    const odd = (bytes - frame) % 2;
    return entryAt(0, `,"x":"${"é".repeat((bytes - frame - odd) / 2)}${"-".repeat(odd)}"`);
  };

  test.each([
    [MAX_EVENT_BYTES - 1, true],
    [MAX_EVENT_BYTES, true],
    [MAX_EVENT_BYTES + 1, false],
  ])("an entry of %i bytes is taken: %s; else it is a dead letter", async (bytes, taken) => {
    const fake = await startFake();
    const lines = [entryAt(0), sized(bytes), entryAt(0)];
    expect(Buffer.byteLength(lines[1]!)).toBe(bytes);
    expect(outcome(await writeLines(await cloudwatchOutput(fake), lines))).toEqual(
      taken ? [] : [[1, "reject", expect.stringContaining(`${MAX_EVENT_BYTES} bytes`)]],
    );
    expect(fake.events).toHaveLength(taken ? 3 : 2);
  });

  test.each([0, 1, 2, 3])("or is cut at the start of a character, with a mark (%i)", async (shift) => {
    const fake = await startFake();
    const line = entryAt(0, `,"x":"${"-".repeat(shift)}${"😀".repeat(300_000)}"`);
    expect(await writeLines(await cloudwatchOutput(fake, { too_large: "cut" }), [line, line])).toEqual({});
    for (const { message } of fake.events) {
      expect(line.startsWith(message.slice(0, -6))).toBe(true);
      expect(message).toMatch(/😀 \[cut\]$/);
      expect(Buffer.byteLength(message)).toBeGreaterThan(MAX_EVENT_BYTES - 4);
    }
    expect(fake.puts).toEqual([1, 1]);
  });

  test("an original that is no UTF-8 comes with its bytes, and is counted and cut as what is sent for it", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { format: "original", too_large: "cut" });
    const lines = [Buffer.alloc(600_000, 0x80), Buffer.alloc(100_000, 0x80), Buffer.from([0x61, 0xff, 0x62])];
    expect(await writeLines(output, lines)).toEqual({});
    const [cut, ...whole] = fake.events.map(({ message }) => message);
    expect([Buffer.byteLength(cut!) > MAX_EVENT_BYTES - 3, cut!.slice(-7)]).toEqual([true, "\ufffd [cut]"]);
    const sent = whole.map((message) => JSON.parse(message) as { message: string; message_base64: string });
    expect(sent.map(({ message_base64 }) => Buffer.from(message_base64, "base64"))).toEqual(lines.slice(1));
    expect(sent[1]!.message).toBe("a\ufffdb");
  });

  test("an empty original, which the service does not take, becomes a dead letter", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { format: "original" });
    expect(outcome(await writeLines(output, ["", "x"]))).toEqual([[0, "reject", expect.stringContaining("is empty")]]);
    expect(fake.events.map(({ message }) => message)).toEqual(["x"]);
  });
});

test("every character arrives as it was", async () => {
  const fake = await startFake();
  const codes = Array.from({ length: 0x3000 }, (_, i) => i).filter((code) => code !== 0x0a && code !== 0x0d);
  const text = `${String.fromCharCode(...codes)}\\"\u2028\uffff😀`;
  const lines = [text, JSON.stringify({ text })];
  expect(await writeLines(await cloudwatchOutput(fake, { format: "original" }), lines)).toEqual({});
  expect(fake.events.map(({ message }) => message)).toEqual(lines);
});

test("what is signed and measured is the body that is sent", async () => {
  const fake = await startFake();
  expect(await writeLines(await cloudwatchOutput(fake), [entryAt(0, ',"x":"é"')])).toEqual({});
  for (const { headers, body } of fake.requests) {
    expect(headers["x-amz-content-sha256"]).toBe(createHash("sha256").update(body).digest("hex"));
    expect(headers["content-length"]).toBe(String(body.length));
    expect(headers.authorization).toMatch(/^AWS4-HMAC-SHA256 .*SignedHeaders=[^,]*\bx-amz-content-sha256\b/);
  }
});

test("whatever is written: each record is stored once or named, in order in its stream, within every limit", async () => {
  const property = fc.asyncProperty(fc.integer(), async (seed) => {
    const random = seeded(seed);
    const under = (n: number) => Math.floor(random() * n);
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { log_group: "$TAG[0]", log_stream: "$TAG[1]-%Y%m%d" });
    const sent: { tag: string; ms: number; n: number }[] = [];
    const batches = Array.from({ length: 1 + under(4) }, () => {
      const tag = `g${under(2)}.s${under(3)}`;
      const lines = Array.from({ length: under(60) }, () => {
        const ms = NOW - under(random() < 0.1 ? 20 * DAY : 3 * DAY) + (random() < 0.05 ? 4 * DAY : 0);
        const n = sent.push({ tag, ms, n: sent.length }) - 1;
        return entryAt(ms - NOW, `,"n":${n},"x":"${"ü".repeat(random() < 0.03 ? under(560_000) : under(50))}"`);
      });
      return batchOf(lines, { tag });
    });
    const { failed = new Map() } = await writeAll(output, batches);
    const stored = new Map(fake.events.map((event) => [(JSON.parse(event.message) as { n: number }).n, event]));
    expect(fake.events).toHaveLength(stored.size);
    for (const { tag, ms, n } of sent) {
      const event = stored.get(n);
      expect(event !== undefined, `record ${n}`).toBe(!failed.has(n));
      if (event === undefined) expect(failed.get(n)!.reason).toMatch(/14 days|2 hours|larger/);
      else expect([event.group, event.stream.split("-")[0], event.timestamp]).toEqual([...tag.split("."), ms]);
    }
    const streams = Map.groupBy(fake.events, ({ group, stream }) => `${group} ${stream}`);
    for (const events of streams.values()) {
      const order = events.map(({ message, timestamp }) => ({
        n: (JSON.parse(message) as { n: number }).n,
        timestamp,
      }));
      expect(order).toEqual(order.toSorted((a, b) => a.timestamp - b.timestamp || a.n - b.n));
    }
  });
  await fc.assert(property, { numRuns: 15 });
});
