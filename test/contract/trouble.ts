/** What must happen when the destination fails, and at the end: nothing lost, nothing said that is secret, nothing left behind. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { tracking } from "./handles.ts";
import { arrivedAll, type Mode, promptMs, REFUSED, type Scenario, type Subject } from "./harness.ts";
import { until, within } from "./lane.ts";
import { batchOf, entries } from "./records.ts";

/** The first write during an outage settles nothing; after healing everything is there. */
function outage(mode: Mode): (subject: Subject) => Promise<void> {
  return async (subject) => {
    const lane = await subject.open();
    const lines = entries(20);
    const batch = batchOf(lines);
    await subject.harness.fail!(mode);
    for (let attempt = 0; attempt < 2; attempt++) {
      const result = await lane.write([batch]).catch(() => undefined);
      if (result === undefined || result.blocked !== undefined) continue;
      assert.equal(result.refused, undefined, "an outage is not the records' fault");
      assert.equal(result.failed?.size, lines.length, "nothing counts as stored during an outage");
      for (const { action } of result.failed!.values())
        assert.notEqual(action, "reject", "an outage is no reason to reject");
    }
    await subject.harness.heal!();
    assert.equal((await lane.deliver(batch)).size, 0, "nothing is rejected after an outage");
    await arrivedAll(subject, lines);
  };
}

export const trouble: readonly Scenario[] = [
  {
    name: "probe fails on an outage",
    needs: ["unavailable"],
    async run(subject) {
      const lane = await subject.open();
      await subject.harness.fail!("unavailable");
      const probing = within("probe", lane.output.probe(new AbortController().signal));
      await assert.rejects(probing, "a probe finds an outage");
    },
  },
  { name: "an outage loses nothing", needs: ["unavailable"], run: outage("unavailable") },
  { name: "a dropped connection loses nothing", needs: ["drop"], run: outage("drop") },
  {
    name: "throttled asks for a pause",
    needs: ["throttled"],
    async run(subject) {
      const lane = await subject.open();
      const lines = entries(20);
      const batch = batchOf(lines);
      await subject.harness.fail!("throttled");
      const result = await lane.write([batch]).catch((error) => {
        throw new Error("throttled: throws, so no pause is asked for", { cause: error });
      });
      const asked = subject.harness.retryAfterMs ?? 1;
      const { pauseMs = 0 } = result;
      assert.ok(pauseMs >= asked, `a pause of ${asked} ms is asked for, ${pauseMs} passed on`);
      assert.ok(pauseMs <= asked * 2 + 60_000, `a pause of ${pauseMs} ms is far more than asked for`);
      for (const { action } of result.failed?.values() ?? [])
        assert.equal(action, "retry", "throttling rejects nothing");
      if (result.refused === undefined) assert.equal(result.failed?.size, lines.length, "nothing counts as stored");
      await subject.harness.heal!();
      assert.equal((await lane.deliver(batch)).size, 0);
      await arrivedAll(subject, lines);
    },
  },
  {
    name: "only the refused record is rejected",
    needs: ["refused"],
    async run(subject) {
      const lane = await subject.open();
      const lines = entries(21).map((line, i) => (i === 13 ? `{"text":"${REFUSED}",${line.slice(1)}` : line));
      await subject.harness.fail!("refused");
      const rejected = await lane.deliver(batchOf(lines), 5);
      assert.deepEqual([...rejected.keys()], [13], "exactly the bad record is rejected");
      assert.ok(rejected.get(13)!.length > 0, "the reason is named");
      await arrivedAll(
        subject,
        lines.filter((_, i) => i !== 13),
      );
    },
  },
  {
    name: "a hanging destination does not hold the abort signal",
    needs: ["hang"],
    async run(subject) {
      const lane = await subject.open();
      await subject.harness.fail!("hang");
      const abort = new AbortController();
      const writing = lane.send(await lane.plan([batchOf(entries(5))]), false, abort.signal);
      writing.catch(() => {});
      // Long enough for the request to be under way; the outcome does not depend on it.
      await delay(30);
      abort.abort();
      const result = await within("abort", writing, promptMs(subject.harness)).catch((error: Error) => {
        if (error.message.startsWith("abort: nothing happened")) throw error;
        return undefined;
      });
      if (result && result.blocked === undefined) {
        assert.equal(result.failed?.size, 5, "nothing counts as stored when nobody answered");
        for (const { action } of result.failed!.values()) assert.equal(action, "retry");
      }
      await subject.harness.heal!();
      assert.equal((await lane.deliver(batchOf(entries(5)))).size, 0);
      await arrivedAll(subject, entries(5));
    },
  },
  {
    name: "an aborted signal writes nothing",
    async run(subject) {
      const lane = await subject.open();
      const result = await lane.write([batchOf(entries(3))], AbortSignal.abort()).catch(() => undefined);
      if (result !== undefined) assert.equal(result.failed?.size, 3);
    },
  },
  {
    name: "a restarted destination loses nothing",
    needs: ["restart"],
    async run(subject) {
      const lane = await subject.open();
      await lane.deliver(batchOf(entries(5)));
      await subject.harness.restart!();
      await lane.deliver(batchOf(entries(5, 5)));
      await subject.harness.restart!();
      await lane.deliver(batchOf(entries(1, 10)));
      await arrivedAll(subject, entries(11));
    },
  },
  {
    name: "no secret is said",
    async run(subject) {
      const { harness } = subject;
      const lane = await subject.open();
      const attempt = async () => {
        await lane.write([batchOf([...entries(3), `{"text":"${REFUSED}"}`])]).catch(() => {});
        await within("probe", lane.output.probe(AbortSignal.timeout(2_000))).catch((error: Error) => {
          lane.said.push(String(error.stack), JSON.stringify(error));
        });
      };
      await attempt();
      for (const mode of ["unavailable", "throttled", "refused", "drop"] as const) {
        if (!harness.fail) break;
        try {
          await harness.fail(mode);
        } catch {
          continue; // A mode this destination cannot do.
        }
        await attempt();
        await harness.heal?.();
      }
      for (const secret of harness.secrets ?? []) {
        for (const text of subject.said) assert.ok(!text.includes(secret), "a secret shows in what the output says");
      }
    },
  },
  {
    name: "close leaves nothing behind",
    async run(subject) {
      await tracking(async (open) => {
        const lane = await subject.open();
        await lane.deliver(batchOf(entries(3)));
        await lane.close();
        await lane.close();
        let left: string[] = [];
        const released = async () => {
          // Looked at from a callback, so that no timer of this loop counts.
          left = await new Promise<string[]>((resolve) => setImmediate(() => resolve(open())));
          return left.length === 0;
        };
        await until("every handle is released", released, promptMs(subject.harness)).catch(() => {
          throw new Error(`handles are left open: ${left.join(", ")}`);
        });
      });
    },
  },
  { name: "an early 429 with a slow reader mixes no bytes", needs: ["answerEarly"], run: (s) => earlyAnswer(s, 429) },
  { name: "an early 413 with a slow reader mixes no bytes", needs: ["answerEarly"], run: (s) => earlyAnswer(s, 413) },
];

/** Requests answered while they are still being sent: what goes on being sent must stay their own bytes. */
async function earlyAnswer(subject: Subject, status: 429 | 413): Promise<void> {
  const lane = await subject.open();
  const early = await subject.harness.answerEarly!(status);
  const letters = ["a", "b", "c", "d", "e", "f"];
  const batches: RecordBatch[] = letters.map((letter) => batchOf(entries(4_000, 0, letter.repeat(800))));
  for (const batch of batches) await lane.write([batch]).catch(() => undefined);
  await early.done();
  const bodies = early.bodies();
  assert.ok(bodies.length > 0, "requests were made");
  for (const [i, body] of bodies.entries()) {
    const text = body.toString("latin1");
    const mine = letters.filter((letter) => text.includes(letter.repeat(40)));
    assert.ok(mine.length <= 1, `request ${i} carries the bytes of ${mine.length} writes`);
    if (mine.length === 0) continue;
    let at = 0;
    for (const line of entries(4_000, 0, mine[0]!.repeat(800))) {
      const found = text.indexOf(line.slice(1, -1), at);
      if (found < 0) {
        assert.ok(text.length - at < 4_096, `request ${i}: bytes ${at} and on are not what was written`);
        break;
      }
      at = found + line.length - 2;
    }
  }
}
