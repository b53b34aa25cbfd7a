import { describe, expect, it } from "vitest";
import { batchOf } from "../../test/fakes/batch.ts";
import type { RecordBatch } from "../api/batch.ts";
import type { Output, WriteResult } from "../api/output.ts";
import { attempt, SAME_REASON_RECORDS } from "./attempt.ts";

type Answer = (records: string[]) => WriteResult;

/** A destination that answers by a rule and remembers what it took. */
function destination(answer: Answer): { output: Output; writes: string[][] } {
  const writes: string[][] = [];
  const output: Output = {
    async write(batches: readonly RecordBatch[]) {
      const records = batches.flatMap((batch) =>
        Array.from({ length: batch.count }, (_, i) => batch.bytes(i).toString()),
      );
      writes.push(records);
      return answer(records);
    },
    probe: async () => {},
    close: async () => {},
  };
  return { output, writes };
}

function tryOnce(records: string[], answer: Answer, others = false) {
  const { output, writes } = destination(answer);
  const half = Math.ceil(records.length / 2);
  const batches = [batchOf(records.slice(0, half)), batchOf(records.slice(half), { firstOffset: 10_000 })];
  const options = {
    output,
    timeoutMs: 5_000,
    signal: new AbortController().signal,
    othersAccepted: () => others,
    abandoned: () => {},
  };
  return attempt(batches, { id: "1.0", repeat: false }, options).then((outcome) => ({ outcome, writes }));
}

const records = (count: number) => Array.from({ length: count }, (_, i) => `{"n":${i}}`);
const bad = '{"n":"bad"}';

describe("attempt", () => {
  it("finds the one record at fault when the whole is refused", async () => {
    const all = records(100);
    all[37] = bad;
    const { outcome, writes } = await tryOnce(all, (sent) => (sent.includes(bad) ? { refused: "no" } : {}));
    expect([...outcome.rejected]).toEqual([[37, "no"]]);
    expect(outcome.again).toEqual([]);
    expect(outcome.stored).toBe(99);
    expect(writes.length).toBeLessThan(20);
  });

  it("finds guilty records at both ends", async () => {
    const all = [bad, ...records(6), bad];
    const { outcome } = await tryOnce(all, (sent) => (sent.includes(bad) ? { refused: "no" } : {}));
    expect([...outcome.rejected.keys()].sort((a, b) => a - b)).toEqual([0, 7]);
    expect(outcome.stored).toBe(6);
  });

  it("waits when everything is refused: that is the operator's fault, not the records'", async () => {
    const { outcome } = await tryOnce(records(8), () => ({ refused: "index is read-only" }));
    expect(outcome.rejected.size).toBe(0);
    expect(outcome.again).toHaveLength(8);
    expect(outcome.trouble).toEqual({ state: "blocked", reason: "index is read-only" });
  });

  it("cannot tell of a single record alone, until the destination takes others", async () => {
    const alone = await tryOnce([bad], () => ({ refused: "no" }));
    expect(alone.outcome.trouble?.state).toBe("blocked");
    const others = await tryOnce([bad], () => ({ refused: "no" }), true);
    expect([...others.outcome.rejected]).toEqual([[0, "no"]]);
  });

  it("does not bury everything when every record is rejected for one reason", async () => {
    const reject: Answer = (sent) => ({
      failed: new Map(
        sent.map((_, i) => [i, { action: "reject", reason: `[1:${i}] failed to parse field [a] in 'x${i}'` }]),
      ),
    });
    const many = await tryOnce(records(SAME_REASON_RECORDS), reject);
    expect(many.outcome.trouble?.state).toBe("blocked");
    expect(many.outcome.rejected.size).toBe(0);
    const few = await tryOnce(records(3), reject);
    expect(few.outcome.rejected.size).toBe(3);
  });

  it("buries records that rule themselves out, however many", async () => {
    const all = records(SAME_REASON_RECORDS);
    const { outcome } = await tryOnce(all, () => ({
      failed: new Map(all.map((_, i) => [i, { action: "reject", reason: "too old", certain: true }])),
    }));
    expect(outcome).toMatchObject({ trouble: undefined, again: [], stored: 0 });
    expect(outcome.rejected.size).toBe(SAME_REASON_RECORDS);
  });

  it("sorts answers by record", async () => {
    const { outcome } = await tryOnce(records(6), () => ({
      failed: new Map([
        [4, { action: "retry", reason: "busy" }],
        [1, { action: "reject", reason: "mapping" }],
        [0, { action: "block", reason: "read-only" }],
      ]),
      pauseMs: 70,
      repeated: 2,
    }));
    expect(outcome.again).toEqual([0, 4]);
    expect([...outcome.rejected]).toEqual([[1, "mapping"]]);
    expect(outcome.trouble).toEqual({ state: "blocked", reason: "read-only" });
    expect(outcome).toMatchObject({ stored: 3, repeated: 2, pauseMs: 70 });
  });

  it("knows what was not sent yet from what failed, unless nothing was done at all", async () => {
    const later = (sent: string[], from: number) =>
      new Map(sent.slice(from).map((_, i) => [i + from, { action: "later", reason: "rate" }] as const));
    const some = await tryOnce(records(4), (sent) => ({ failed: later(sent, 1) }));
    expect(some.outcome).toMatchObject({ again: [1, 2, 3], stored: 1, trouble: undefined });
    const paused = await tryOnce(records(4), (sent) => ({ failed: later(sent, 0), pauseMs: 5 }));
    expect(paused.outcome).toMatchObject({ stored: 0, trouble: undefined, pauseMs: 5 });
    const idle = await tryOnce(records(4), (sent) => ({ failed: later(sent, 0) }));
    expect(idle.outcome.trouble).toEqual({ state: "degraded", reason: "rate" });
    const both = await tryOnce(records(4), (sent) => ({
      failed: later(sent, 2).set(1, { action: "retry", reason: "busy" } as never),
    }));
    expect(both.outcome.trouble).toEqual({ state: "degraded", reason: "busy" });
  });

  it("ignores answers about records that were not sent", async () => {
    const { outcome } = await tryOnce(records(2), () => ({
      failed: new Map([[7, { action: "reject", reason: "?" }]]),
    }));
    expect(outcome).toMatchObject({ stored: 2, again: [] });
  });

  it("keeps the untried half of a bisection for the retry when the destination goes away", async () => {
    let calls = 0;
    const { outcome } = await tryOnce(records(4), () => {
      if (++calls === 1) return { refused: "too large" };
      throw new Error("connection reset");
    });
    expect(outcome.again).toEqual([0, 1, 2, 3]);
    expect(outcome.trouble).toEqual({ state: "degraded", reason: "connection reset" });
    expect(calls).toBe(2);
  });

  it("does not wait for an output that ignores its signal", async () => {
    const output: Output = { write: () => new Promise(() => {}), probe: async () => {}, close: async () => {} };
    const options = {
      output,
      timeoutMs: 10,
      signal: new AbortController().signal,
      othersAccepted: () => false,
      abandoned: () => {},
    };
    const outcome = await attempt([batchOf(records(1))], { id: "1.0", repeat: false }, options);
    expect(outcome.trouble).toEqual({ state: "degraded", reason: "no answer within 10 ms" });
    expect(outcome.aborted).toBe(false);
  });
});
