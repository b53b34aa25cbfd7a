/** What must arrive, and how: the clauses of the contract that need no failing destination. */
import assert from "node:assert/strict";
import { defaultsOf } from "../../agent/api/plugin.ts";
import { arrived, arrivedAtLeast, arrivedExactly, guarantee, isObjectOutput, type Scenario } from "./harness.ts";
import { within } from "./lane.ts";
import { batchOf, chain, entries, verifyChain } from "./records.ts";

export const content: readonly Scenario[] = [
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
  {
    name: "parallel writes do not mix",
    applies: (definition) =>
      isObjectOutput(definition) || defaultsOf(definition, {}).concurrency === 1 ? "writes one at a time" : undefined,
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
];
