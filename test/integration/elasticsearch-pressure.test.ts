/**
 * A real Elasticsearch that takes little at once: `ELASTICSEARCH_TIGHT_URL` names one that was started with
 * `indexing_pressure.memory.limit: 1mb` and `http.max_content_length: 2mb`. Whatever it answers, everything small enough arrives.
 */
import { appendFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { entries } from "../contract/records.ts";
import { ledgersOf, logOf, stopOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { batchOf, RealElasticsearch, write } from "./elasticsearch-server.ts";
import { service } from "./services.ts";

const tight = service("Elasticsearch with tight limits", ["ELASTICSEARCH_TIGHT_URL"]);
const ENTRIES = 20_000;
const line = (n: number, length: number) =>
  `{"timestamp":"2026-02-01T10:00:00Z","n":${n},"text":"${"x".repeat(length)}"}`;

describe.runIf(tight.there)("a real Elasticsearch that takes little at once", () => {
  const real = new RealElasticsearch(tight.env.ELASTICSEARCH_TIGHT_URL, undefined, "tight");
  const { run } = real;

  test.each(["none", "gzip"])("says so, and is understood (compression %s)", async (compression) => {
    const out = await real.output({ index: `${run}-said-${compression}`, compression });
    const many = (count: number) => batchOf(Array.from({ length: count }, (_, n) => line(n, 1_000)));
    expect(await write(out, [many(950)])).toEqual({ refused: expect.stringMatching(/^HTTP 429 .*this request alone/) });
    expect(await write(out, [many(1_500)])).toEqual({
      refused: expect.stringMatching(/^HTTP 429 .*this request alone/),
    });
    // Early, too: most of it is still to be sent. An answer can be lost in the reset behind it; then the server is asked before the next body.
    for (const count of [3_000, 30_000]) {
      const said = await write(out, [many(count)]).catch(() => write(out, [many(count)]));
      expect(said).toEqual({ refused: expect.stringMatching(/^HTTP 413/) });
    }
    expect(await write(out, [many(100)])).toEqual({});
  });

  test.each(["none", "gzip"])("%# gets a shipment in pieces it can take, each entry once", async (compression) => {
    const index = `${run}-many-${compression}`;
    const workspace = new Workspace();
    const lines = Array.from({ length: ENTRIES }, (_, n) => line(n, 500));
    await workspace.write("logs/app.jsonl", `${lines.join("\n")}\n`);
    const agent = await real.agent(workspace, { index, compression, concurrency: 4 });
    await agent.until("all to arrive", async () => (await real.count(index)) === ENTRIES, 120_000);
    expect((await stopOf(agent)).out).toMatchObject({ delivered: ENTRIES, rejected: 0, lost: 0, queued: 0 });
    expect(logOf(agent, "retry").some(({ reason }) => /HTTP 4(13|29)/.test(String(reason)))).toBe(true);
  });

  test("an entry it can never take becomes a dead letter with the reason, and holds nothing up", async () => {
    const index = `${run}-large`;
    const workspace = new Workspace();
    const large = [line(1, 2_500_000), line(2, 1_100_000)];
    const small = entries(50, 100);
    await workspace.write("logs/app.jsonl", `${[large[0], ...small, large[1]].join("\n")}\n`);
    const agent = await real.agent(workspace, { index }, { max_line_bytes: "4MiB" });
    await agent.until("the small ones to arrive", async () => (await real.count(index)) === 50);
    await appendFile(workspace.path("logs/app.jsonl"), `${entries(50, 200).join("\n")}\n`);
    await agent.until("what came later to arrive", async () => (await real.count(index)) === 100);
    await agent.until(
      "both to be dead letters",
      async () => (await workspace.allLines("data/dead-letters")).length === 2,
    );
    expect((await stopOf(agent)).out).toMatchObject({ delivered: 100, rejected: 2, lost: 0, queued: 0 });
    expect(ledgersOf(agent).out?.read).toBe(102);
    const reasons = (await workspace.allLines("data/dead-letters")).map((text) => JSON.parse(text).reason as string);
    expect(reasons.sort()).toEqual([
      expect.stringMatching(/^HTTP 413.*max_content_length/),
      expect.stringMatching(/es_rejected_execution_exception: .*_operation_bytes=/),
    ]);
  });
});
