/**
 * Against a real collector, the OpenTelemetry Collector's receiver of Splunk's protocol: `HEC_URL` (with acknowledgement), `HEC_NOACK_URL`, `HEC_TOKEN`,
 * and `HEC_OUT`, the file in which it writes what it understood.
 */
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/splunk-hec/index.ts";
import { batchOf, entries } from "../contract/records.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { until } from "../e2e/harness/until.ts";
import { hec, mark, named, plain, understood } from "./hec.ts";
import { canRestart, restart } from "./services.ts";
import { ENTRIES, expectAll, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const numbers = (from: number) => understood(from).map(({ body }) => (plain(body) as { n: number }).n);

describe.runIf(hec.there)("a real collector", () => {
  const open: Output[] = [];
  afterEach(async () => {
    for (const out of open.splice(0)) await out.close();
  });

  async function output(options: Record<string, unknown>): Promise<Output> {
    const parsed = definition.options.parse({ url: hec.env.HEC_URL, token: hec.env.HEC_TOKEN, ...options });
    const made = await definition.create(parsed, {
      alias: "splunk",
      node: "node-1",
      version: "0",
      clock: systemClock,
      fields: new Scanner([...(definition.fields?.(parsed) ?? []), "metadata"]),
      emit: () => undefined,
    });
    open.push(made);
    return made;
  }
  const write = (out: Output, lines: string[]) =>
    out.write([batchOf(lines)], { id: "p", repeat: false }, AbortSignal.timeout(60_000));

  test("probe: it is there, and knows the token", async () => {
    await (await output({})).probe(AbortSignal.timeout(10_000));
    const wrong = await output({ token: "11111111-0000-0000-0000-000000000000" });
    await expect(wrong.probe(AbortSignal.timeout(10_000))).rejects.toThrow(/401|403/);
    expect(await write(wrong, ["{}"])).toEqual({ blocked: expect.stringMatching(/40[13].*check `token`/) });
  });

  test.each(["none", "gzip"])(
    "it understands what was meant: time, host, source, type, index, fields, body (%s)",
    async (compression) => {
      const from = mark();
      const out = await output({
        ...{ acknowledge: true, compression, index: "audit", source: "s", sourcetype: "t", indexed_fields: ["actor"] },
      });
      const text = 'Zoë \\"said\\"\\n\\u0001 😀';
      const line = `{"timestamp":"2026-02-01T09:00:17.125+01:00","n":1,"actor":"al ice","text":"${text}","_integrity_hash":"ab12"}`;
      expect(await write(out, [line, `{"n":2,"big":"${"é".repeat(100_000)}"}`])).toEqual({});
      const [first, second] = await until("both to arrive", () =>
        understood(from).length === 2 ? understood(from) : undefined,
      );
      // It reads the time as a floating-point number.
      expect(Math.round(Number(first!.timeUnixNano) / 1e6)).toBe(1_769_932_817_125);
      expect(plain(first!.body)).toEqual(JSON.parse(line));
      expect({ ...named(first!.resource), ...named(first!.attributes) }).toMatchObject({
        "host.name": "node-1",
        "com.splunk.source": "s",
        "com.splunk.sourcetype": "t",
        "com.splunk.index": "audit",
        integrity_hash: "ab12",
        actor: "al ice",
        tag: "audit.test",
      });
      expect((plain(second!.body) as { big: string }).big).toHaveLength(100_000);
    },
  );

  test("raw lines arrive as they are", async () => {
    const from = mark();
    const lines = entries(100);
    expect(await write(await output({ mode: "raw", format: "original", acknowledge: true }), lines)).toEqual({});
    const records = await until("all to arrive", () =>
      understood(from).length === 100 ? understood(from) : undefined,
    );
    expect(records.map(({ body }) => plain(body))).toEqual(lines);
  });

  const shipped = (options: object) => ({
    name: "splunk_hec",
    url: hec.env.HEC_URL,
    token: hec.env.HEC_TOKEN,
    ...options,
  });

  test("the way is cut and the agent killed in the middle: all arrive", async () => {
    const from = mark();
    const way = await Cuttable.to(hec.env.HEC_NOACK_URL);
    await ship({
      output: shipped({ url: way.url }),
      count: () => (mark() > from ? ENTRIES : 0),
      trouble: async () => {
        await way.cut();
        await way.mend();
      },
      kill: true,
    });
    await until("the last to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
    expectAll(numbers(from), "at least once");
  });

  test("of two collectors one is not there: all arrive", async () => {
    const from = mark();
    const dead = await Cuttable.to(hec.env.HEC_URL);
    await dead.cut();
    await ship({
      output: shipped({ url: [dead.url, hec.env.HEC_URL], acknowledge: true }),
      trouble: async () => {},
    });
    await until("the last to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
    expectAll(numbers(from), "at least once");
  });

  test("the way hangs in the middle: all arrive", async () => {
    const from = mark();
    const way = await Cuttable.to(hec.env.HEC_URL);
    await ship({
      output: shipped({ url: way.url, acknowledge: true, timeout: STALL_TIMEOUT }),
      count: () => (mark() > from ? ENTRIES : 0),
      trouble: () => stalled(way),
    });
    await until("the last to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
    expectAll(numbers(from), "at least once");
  });

  test.runIf(canRestart("otelcol"))(
    "with acknowledgement, the collector restarted in the middle: all arrive",
    async () => {
      const from = mark();
      const before: number[] = [];
      const port = Number(new URL(hec.env.HEC_URL).port);
      const whileDown = () => {
        for (const n of numbers(from)) before.push(n);
      };
      await ship({
        output: shipped({ acknowledge: true, ack_timeout: "3s" }),
        count: () => (mark() > from ? ENTRIES : 0),
        // It acknowledges what it has not written yet, so it may not be killed; and it begins its file anew.
        trouble: () => restart("otelcol", port, { signal: "SIGTERM", whileDown }),
      });
      const all = () => [...before, ...numbers(0)];
      await until("the last to be written", () => new Set(all()).size === ENTRIES, { timeoutMs: 60_000 });
      expectAll(all(), "at least once");
    },
  );
});
