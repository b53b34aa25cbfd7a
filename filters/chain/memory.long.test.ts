/** A million entries: what the filter knows of a chain does not grow. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { ChainBench, ChainWriter, linesFile } from "./harness.ts";

const ENTRIES = 1_000_000;
const BATCH = 2_000;

test("a million entries, some of them changed", () => {
  setFlagsFromString("--expose-gc");
  const gc = runInNewContext("gc") as () => void;
  const bench = new ChainBench();
  const writer = new ChainWriter();
  const heap: number[] = [];
  for (let at = 0; at < ENTRIES; at += BATCH) {
    const lines = writer.lines(BATCH);
    if (at % 100_000 === 0) lines[1000] = lines[1000]!.replace('"x"', '"y"');
    bench.read(linesFile("/nowhere/audit.jsonl", lines));
    bench.tick();
    // What flowed is the test's to forget.
    bench.passed.length = 0;
    bench.events.length = 0;
    if (at % 100_000 !== 50_000) continue;
    gc();
    heap.push(process.memoryUsage().heapUsed);
  }
  bench.end();
  expect(bench.breaks).toHaveLength(ENTRIES / 100_000);
  expect(bench.of("verified").at(-1)).toMatchObject({ entries_verified: ENTRIES - ENTRIES / 100_000 });
  expect(heap.at(-1)! - heap[1]!).toBeLessThan(2 * 1024 * 1024);
}, 120_000);
