import { statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Bench, line, lines } from "./harness.ts";
import { sourceId } from "./identity.ts";
import { save } from "./position.ts";

const FILES = Number(process.env.FILES ?? 100_000);

/** A position as an earlier run would have left it: read to its end. */
function finished(path: string, i: number): { key: string; value: string } {
  const { dev, ino, size: bytes, mtimeNs } = statSync(path, { bigint: true });
  const size = Number(bytes);
  const fingerprint = i.toString(16).padStart(64, "0");
  const group = path.replace(/-\d+/, "");
  const source = { id: sourceId("node", fingerprint, 0), input: "in", group };
  const mtime = Number(mtimeNs / 1000n) / 1000;
  const rest = { fingerprint, generation: 0, offset: size, proof: "", size, mtime, first: i, group };
  const state = { finished: true, skipped: false, gone: undefined, lost: 0, file: undefined, marks: [], missed: 0 };
  const { key, value } = save({ path, inode: `${dev}:${ino}`, ...rest, ...state, source });
  if (typeof value !== "string") throw new Error("a position is text");
  return { key, value };
}

test(`a start with ${FILES} old finished files opens none of them`, async () => {
  const bench = new Bench({ rescanInterval: 10_000 });
  for (let i = 0; i < FILES; i++) {
    const path = bench.path(`app-${1_000_000 + i}.log`);
    writeFileSync(path, `${line(i)}\n`);
    const { key, value } = finished(path, i);
    bench.positions.set(key, value);
  }
  writeFileSync(bench.path("app.log"), lines(FILES, FILES + 3));
  const before = process.memoryUsage.rss();
  const started = performance.now();
  bench.start();
  while (bench.got.length < 3) await bench.untilCount(3).catch(() => {});
  const seconds = (performance.now() - started) / 1000;
  const grown = (process.memoryUsage.rss() - before) / FILES;
  process.stdout.write(`${FILES} finished files: ${seconds.toFixed(1)} s, ${grown.toFixed(0)} bytes each\n`);
  expect(bench.texts).toEqual([FILES, FILES + 1, FILES + 2].map((i) => line(i)));
  // Paths, positions as text and as objects, and room for the collector.
  expect(grown).toBeLessThan(6_000);
  await bench.done();
});
