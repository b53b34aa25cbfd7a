/** The http output against a real server: the raw endpoint of the collector, which takes lines from anybody who knows the token. */
import { describe, expect, test } from "vitest";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { until } from "../e2e/harness/until.ts";
import { hec, mark, plain, understood } from "./hec.ts";
import { ENTRIES, expectAll, ship } from "./shipment.ts";

/** The lines were sent as they are: what arrived has to be JSON by itself. */
const numbers = (from: number) =>
  understood(from).map(({ body }) => (JSON.parse(plain(body) as string) as { n: number }).n);

describe.runIf(hec.there)("a real server", () => {
  const output = (base: string, options: object = {}) => ({
    name: "http",
    url: `${base}/services/collector/raw?source=http`,
    headers: { Authorization: `Splunk ${hec.env.HEC_TOKEN}` },
    ...options,
  });

  test.each(["none", "gzip"])(
    "lines arrive, the way is cut and the agent killed in the middle (%s)",
    async (compression) => {
      const from = mark();
      const way = await Cuttable.to(hec.env.HEC_NOACK_URL);
      await ship({
        output: output(way.url, { compression }),
        count: () => (mark() > from ? ENTRIES : 0),
        trouble: async () => {
          await way.cut();
          await way.mend();
        },
        kill: true,
      });
      await until("the last to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
      expectAll(numbers(from), "at least once");
    },
  );

  test("single documents arrive, one a request", async () => {
    const from = mark();
    const ledger = await ship({
      entries: 300,
      output: output(hec.env.HEC_NOACK_URL, { body: "single", template: { n: "{n}", text: "{text}" } }),
      trouble: async () => {},
    });
    expect(ledger).toMatchObject({ read: 300, delivered: 300, rejected: 0, lost: 0 });
    const texts = await until("the last to be written", () => {
      const found = understood(from).map(
        ({ body }) => JSON.parse(plain(body) as string) as { n: string; text: string },
      );
      return found.length >= 300 && found;
    });
    expect(texts.map(({ n, text }) => [n, text])).toEqual(
      Array.from({ length: 300 }, (_, n) => [String(n), `Zoë said "${n}"\n`]),
    );
  });
});
