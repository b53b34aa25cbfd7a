/**
 * What every output must do, each clause a named function, so that the suite itself can be tried against broken outputs.
 * The names are cited in CONTRIBUTING.md: keep them.
 */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { tracking } from "./handles.ts";
import { type TestLane, until, within } from "./lane.ts";
import { batchOf, chain, entries, verifyChain } from "./records.ts";

/** How a destination can be made to fail. */
export type Mode =
  /** It cannot be reached, or answers that it is not ready. */
  | "unavailable"
  /** It answers that it is too busy, naming `retryAfterMs` where its protocol can. */
  | "throttled"
  /** It refuses for good each record that holds `REFUSED`; the others are stored. */
  | "refused"
  /** It takes the connection and never answers. */
  | "hang"
  /** It takes a part of the request and closes the connection. */
  | "drop";

/** A record that holds this text is the one a destination in mode `refused` refuses. */
export const REFUSED = "refuse-this-record";

/** A destination that can be read back and made to fail. */
export interface Harness {
  /** As a user would write them; validated before use. */
  readonly options: Record<string, unknown>;
  /** The entries stored, in the order of their arrival, as JSON text. */
  received(): Promise<readonly (string | Buffer)[]>;
  fail?(mode: Mode): Promise<void> | void;
  heal?(): Promise<void> | void;
  /** Stops the destination and starts it again on the same address; what was stored stays. */
  restart?(): Promise<void>;
  /**
   * From now on the destination answers with this status before it has read the request, and goes on reading slowly.
   * Returns what it read of each request, in order (one body a request, decompressed).
   */
  answerEarly?(status: 429 | 413): Promise<{ bodies(): readonly Buffer[]; done(): Promise<void> }>;
  /** What the destination asks for in mode `throttled`. */
  readonly retryAfterMs?: number;
  /** Top-level keys the output adds by itself; the chain is verified without them. */
  readonly added?: readonly string[];
  /** How long an abort, a close or a record's way to where it can be read back may take; 3 s unless the destination is quicker. */
  readonly promptMs?: number;
  /** Secrets among the options: none may ever be said. */
  readonly secrets?: readonly string[];
  /** Frees the destination. */
  stop(): Promise<void>;
}

export interface Subject {
  readonly definition: AnyOutputDefinition;
  readonly harness: Harness;
  /** Opens the output (again); closed after the scenario. */
  open(): Promise<TestLane>;
  /** Everything any of them said. */
  readonly said: readonly string[];
}

export interface Scenario {
  readonly name: string;
  readonly needs?: readonly (Mode | "restart" | "answerEarly")[];
  /** Why it does not apply to this output; undefined where it does. */
  applies?(definition: AnyOutputDefinition, options: Record<string, unknown>): string | undefined;
  run(subject: Subject): Promise<void>;
}

const promptMs = (harness: Harness) => harness.promptMs ?? 3_000;
const isObjectOutput = (definition: AnyOutputDefinition) => "assemble" in definition;
const guarantee = (definition: AnyOutputDefinition, options: Record<string, unknown>) =>
  definition.guarantee(definition.options.parse(options));

async function arrived({ harness }: Subject): Promise<Record<string, unknown>[]> {
  return (await harness.received()).map((line) => JSON.parse(line.toString()) as Record<string, unknown>);
}

/** Exactly these lines arrived, in order, each with its own bytes. */
async function arrivedExactly(subject: Subject, lines: readonly string[]): Promise<void> {
  await arrivedAtLeast(subject, lines.length);
  const received = (await subject.harness.received()).map(String);
  assert.equal(received.length, lines.length, "as many records arrive as were sent");
  for (const [i, line] of lines.entries()) {
    assert.ok(received[i]!.includes(line.slice(1, -1)), `record ${i} arrives in its place with its own bytes`);
  }
}

/** Each of these lines arrived once or more. */
async function arrivedAll(subject: Subject, lines: readonly string[]): Promise<void> {
  await arrivedAtLeast(subject, lines.length);
  const received = (await subject.harness.received()).map(String);
  for (const [i, line] of lines.entries()) {
    assert.ok(
      received.some((r) => r.includes(line.slice(1, -1))),
      `record ${i} arrives`,
    );
  }
}

/** A destination may take what was acknowledged a moment later into what can be read back; an output that lost something waits in vain. */
async function arrivedAtLeast({ harness }: Subject, count: number): Promise<void> {
  await until(
    `${count} records arrive`,
    async () => (await harness.received()).length >= count,
    promptMs(harness),
  ).catch(() => {});
  const { length } = await harness.received();
  assert.ok(length >= count, `${length} of ${count} records arrived`);
}

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

export const scenarios: readonly Scenario[] = [
  {
    name: "example is valid, unknown option refused",
    async run({ definition }) {
      assert.ok(definition.options.safeParse(definition.example).success, "the example must be valid");
      assert.equal(definition.options.safeParse({ ...definition.example, no_such_option: 1 }).success, false);
    },
  },
  {
    name: "probe sends nothing",
    async run(subject) {
      const lane = await subject.open();
      await within("probe", lane.output.probe(new AbortController().signal));
      assert.equal((await subject.harness.received()).length, 0, "a probe stores nothing");
    },
  },
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
  {
    name: "all records in order",
    async run(subject) {
      const lane = await subject.open();
      const lines = entries(1_000);
      const batches = [batchOf(lines.slice(0, 400)), batchOf(lines.slice(400, 401)), batchOf(lines.slice(401))];
      const result = await lane.write(batches);
      assert.equal(result.failed?.size ?? 0, 0, "nothing fails");
      await arrivedExactly(subject, lines);
    },
  },
  {
    name: "dropped records stay dropped",
    async run(subject) {
      const lane = await subject.open();
      const lines = entries(50);
      const keep = Uint32Array.from({ length: 25 }, (_, i) => i * 2 + 1);
      await lane.write([batchOf(lines).select(keep, keep.length)]);
      await arrivedExactly(
        subject,
        lines.filter((_, i) => i % 2 === 1),
      );
    },
  },
  {
    name: "special characters and long records",
    async run(subject) {
      const lane = await subject.open();
      const texts = [
        "a\nb\r\nc",
        'say "x" \\ ',
        "\u2028\u2029",
        "😀 日本",
        "\u0000\u001f",
        "x".repeat(1 << 20),
        "</script>",
      ];
      const lines = texts.map((text, n) => JSON.stringify({ timestamp: "2026-02-01T10:00:00Z", n, text }));
      assert.equal((await lane.deliver(batchOf(lines))).size, 0);
      await arrivedExactly(subject, lines);
      assert.deepEqual(
        (await arrived(subject)).map((r) => r.text),
        texts,
      );
    },
  },
  {
    name: "entries over several lines arrive whole",
    async run(subject) {
      const lane = await subject.open();
      await lane.deliver(batchOf(['{\n  "n": 1,\r\n  "t": "2026-02-01T10:00:00Z"\n}', '{"n":2}']));
      await arrivedAtLeast(subject, 2);
      assert.deepEqual(
        (await arrived(subject)).map((r) => r.n),
        [1, 2],
      );
    },
  },
  {
    name: "NaN does not poison",
    async run(subject) {
      const lane = await subject.open();
      const lines = ['{"n":0}', '{"n":1,"x":NaN,"y":[-Infinity],"t":"NaN"}', '{"n":2}'];
      assert.equal((await lane.deliver(batchOf(lines))).size, 0);
      await arrivedAtLeast(subject, 3);
      const [, odd] = await arrived(subject);
      assert.deepEqual({ n: odd!.n, x: odd!.x, y: odd!.y, t: odd!.t }, { n: 1, x: null, y: [null], t: "NaN" });
    },
  },
  {
    name: "what is no JSON arrives as a message",
    async run(subject) {
      const lane = await subject.open();
      const bytes = Buffer.from([0x66, 0xff, 0x0d]);
      assert.equal(
        (await lane.deliver(batchOf(['{"n":0}', "no json", '{"n":1', "", bytes, "[1]", '{"n":2}']))).size,
        0,
      );
      await arrivedAtLeast(subject, 7);
      const received = await arrived(subject);
      assert.deepEqual(
        received.map((r) => r.n ?? r.message),
        [0, "no json", '{"n":1', "", "f\ufffd\r", "[1]", 2],
      );
      for (const i of [1, 2, 3, 4, 5]) assert.equal(typeof received[i]!.parse_error, "string");
      assert.equal(received[4]!.message_base64, bytes.toString("base64"));
    },
  },
  {
    name: "additions are merged once",
    async run(subject) {
      const lane = await subject.open();
      const additions = [{ path: ["metadata", "env"] as const, json: Buffer.from('"prod"') }];
      const lines = [
        '{"n":0}',
        '{"n":1,"metadata":{"env":"own"}}',
        '{"n":2,"metadata":null}',
        '{"n":3,"metadata":"text"}',
      ];
      assert.equal((await lane.deliver(batchOf(lines, { additions }))).size, 0);
      await arrivedAtLeast(subject, 4);
      for (const line of await subject.harness.received()) {
        assert.equal(line.toString().split('"metadata":').length, 2, "never a duplicate key");
      }
      const received = await arrived(subject);
      assert.deepEqual(
        received.map((r) => r.metadata),
        [{ env: "prod" }, { env: "own" }, { env: "prod" }, "text"],
      );
      assert.deepEqual(received[3]!.agent_metadata, { env: "prod" });
    },
  },
  {
    name: "an empty batch is fine",
    async run(subject) {
      const lane = await subject.open();
      const result = await lane.write([batchOf([])]);
      assert.equal(result.failed?.size ?? 0, 0);
      await lane.write([batchOf([]), batchOf(entries(1)), batchOf([])]);
      await arrivedExactly(subject, entries(1));
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
    name: "parallel writes do not mix",
    applies: (definition) =>
      isObjectOutput(definition) || definition.defaults?.concurrency === 1 ? "writes one at a time" : undefined,
    async run(subject) {
      const lane = await subject.open();
      const parts = Array.from({ length: 4 }, (_, i) => entries(300, i * 300, String(i).repeat(500)));
      const results = await Promise.all(parts.map((lines) => lane.write([batchOf(lines)])));
      for (const result of results) assert.equal(result.failed?.size ?? 0, 0);
      await arrivedAtLeast(subject, 1_200);
      const received = await arrived(subject);
      assert.equal(new Set(received.map((r) => r.n)).size, 1_200, "every record of every write arrives");
      for (const { n, filler } of received) assert.equal(filler, String(Math.floor(Number(n) / 300)).repeat(500));
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
  {
    name: "exactly once after a repeated write",
    applies: (definition, options) =>
      guarantee(definition, options) === "exactly-once" ? undefined : `promises ${guarantee(definition, options)}`,
    async run(subject) {
      const lane = await subject.open();
      const lines = entries(100);
      const shipment = await lane.plan([batchOf(lines.slice(0, 60)), batchOf(lines.slice(60))]);
      await within("write", lane.send(shipment));
      // Killed before the lane could note it: another process makes the very same write.
      const next = await subject.open();
      const result = await within("write again", next.send(shipment, true));
      assert.equal(result.failed?.size ?? 0, 0);
      await arrivedExactly(subject, lines);
      const more = entries(10, 100);
      await next.write([batchOf(more)]);
      await arrivedExactly(subject, [...lines, ...more]);
    },
  },
  {
    name: "the chain of what arrived verifies",
    async run(subject) {
      const lane = await subject.open();
      const { lines, tip } = chain(300);
      for (let i = 0; i < 300; i += 75) {
        assert.equal((await lane.deliver(batchOf(lines.slice(i, i + 75)))).size, 0);
      }
      await arrivedAtLeast(subject, 300);
      const received = await arrived(subject);
      for (const entry of received) for (const key of subject.harness.added ?? []) delete entry[key];
      assert.equal(verifyChain(received), tip);
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
