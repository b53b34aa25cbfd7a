import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded } from "../../test/fakes/random.ts";
import {
  EVENT_OVERHEAD,
  MAX_EVENT_BYTES,
  MAX_REQUEST_BYTES,
  MAX_REQUEST_EVENTS,
  MAX_SPAN_MS,
  rejectedOf,
  requestsOf,
  retentionFor,
  type Sized,
} from "./limits.ts";
import { checkOptions, cloudwatchOptions } from "./options.ts";

const sizes = (events: Sized[]) => requestsOf(events).map((request) => request.length);
const event = (ms: number, bytes: number) => ({ ms, bytes });

test("the limits are the documented ones", () => {
  expect([MAX_REQUEST_BYTES, EVENT_OVERHEAD, MAX_REQUEST_EVENTS, MAX_SPAN_MS, MAX_EVENT_BYTES]).toEqual([
    1_048_576, 26, 10_000, 86_400_000, 1_048_550,
  ]);
});

describe("a request is cut at", () => {
  test.each([
    [9_999, [9_999]],
    [10_000, [10_000]],
    [10_001, [10_000, 1]],
  ])("%i events", (count, cut) => {
    expect(sizes(Array.from({ length: count }, () => event(0, 1)))).toEqual(cut);
  });

  test.each([
    [-1, [2]],
    [0, [2]],
    [1, [1, 1]],
  ])("1,048,576 bytes with 26 an event, and %i", (more, cut) => {
    expect(sizes([event(0, 524_288 - 26), event(0, 524_288 - 26 + more)])).toEqual(cut);
  });

  test.each([
    [-1, [2]],
    [0, [2]],
    [1, [1, 1]],
  ])("24 hours, and %i ms", (more, cut) => {
    expect(sizes([event(0, 1), event(86_400_000 + more, 1)])).toEqual(cut);
  });

  test("nothing into no request", () => expect(requestsOf([])).toEqual([]));
});

test("every event is in exactly one request, in order, within every limit, and no request is cut without need", () => {
  const property = fc.property(
    fc.integer(),
    fc.constantFrom(5, 300, 12_000, 25_000),
    fc.constantFrom(1, 200, 5_000, MAX_EVENT_BYTES),
    fc.constantFrom(0, 10, 60_000, 40_000_000),
    (seed, count, largest, step) => {
      const random = seeded(seed);
      let ms = 0;
      const events = Array.from({ length: Math.floor(random() * count) }, (_, n) => {
        ms += Math.floor(random() * (step + 1));
        return { n, ms, bytes: Math.ceil(random() * largest) };
      });
      const requests = requestsOf(events);
      let n = 0;
      let before: { count: number; bytes: number; from: number } | undefined;
      for (const request of requests) {
        let bytes = 0;
        for (const one of request) {
          if (one.n !== n++) throw new Error("not in order, or not once");
          bytes += one.bytes + 26;
        }
        const from = request[0]!.ms;
        expect(request.length).toBeGreaterThan(0);
        expect(request.length).toBeLessThanOrEqual(10_000);
        expect(bytes).toBeLessThanOrEqual(1_048_576);
        expect(request.at(-1)!.ms - from).toBeLessThanOrEqual(86_400_000);
        if (before !== undefined) {
          const fits = before.count < 10_000 && before.bytes + request[0]!.bytes + 26 <= 1_048_576;
          expect(fits && from - before.from <= 86_400_000, "its first event had room in the request before").toBe(
            false,
          );
        }
        before = { count: request.length, bytes, from };
      }
      expect(n).toBe(events.length);
    },
  );
  fc.assert(property, { numRuns: 60 });
});

test.each([
  [undefined, []],
  [{}, []],
  [{ tooOldLogEventEndIndex: 2 }, [0, 1]],
  [{ tooOldLogEventEndIndex: 0, tooNewLogEventStartIndex: 5 }, []],
  [{ expiredLogEventEndIndex: 1, tooOldLogEventEndIndex: 2, tooNewLogEventStartIndex: 4 }, [0, 1, 4]],
  [{ expiredLogEventEndIndex: 3, tooOldLogEventEndIndex: 1 }, [0, 1, 2]],
  [{ tooNewLogEventStartIndex: 0 }, [0, 1, 2, 3, 4]],
  [{ tooNewLogEventStartIndex: 4 }, [4]],
  [{ tooOldLogEventEndIndex: 9, tooNewLogEventStartIndex: -1 }, [0, 1, 2, 3, 4]],
])("of five, %j rejects %j", (info, rejected) => {
  expect([...rejectedOf(info, 5).keys()].sort()).toEqual(rejected);
});

describe("retention", () => {
  const check = (options: object) => checkOptions(cloudwatchOptions.parse({ log_group: "g", ...options }));
  const said = (options: object) => check(options).warnings.map(({ message }) => message);

  test("each number the service takes is itself, the one above is the next, and none is lowered", () => {
    const taken = [
      ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
    ];
    for (const [i, days] of taken.entries()) {
      expect([retentionFor(days), retentionFor(days + 1)]).toEqual([days, taken[i + 1]]);
      if (days > 1) expect(retentionFor(days - 1)).toBe(taken.includes(days - 1) ? days - 1 : days);
    }
  });

  test("the next higher number is used, and said", () => {
    expect(said({ retention_days: 100 })).toEqual(["the service does not take 100 days; 120 are used"]);
    expect(said({ retention_days: 90 })).toEqual([]);
    expect(said({ preset: "soc2" })).toEqual([expect.stringContaining("1096 days are recommended")]);
    expect(said({ preset: "hipaa" })).toEqual([]);
    expect(said({ retention_days: 90, auto_create: false })).toEqual(["has no effect with `auto_create: false`"]);
    const others = { kms_key_id: "k", log_group_class: "infrequent_access" };
    expect(said({ ...others, auto_create: false })).toHaveLength(2);
    expect(said(others)).toEqual([]);
  });

  test("fewer days than the regime asks for are refused, and more than the service has", () => {
    expect(check({ preset: "hipaa", retention_days: 365 }).errors).toHaveLength(1);
    expect(check({ preset: "gdpr" }).errors).toHaveLength(1);
    expect(cloudwatchOptions.safeParse({ log_group: "g", retention_days: 3_654 }).success).toBe(false);
  });
});
