/** Chains tampered with at random, in batches of random sizes, with restarts anywhere: the filter tells what one who sees all tells. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { SCHEME_NAMES, schemeOf } from "../../agent/integrity/scheme.ts";
import { seeded } from "../../test/fakes/random.ts";
import { walk } from "../../test/oracle/walk.ts";
import { ChainBench, ChainWriter, fileOf, type TestFile } from "./harness.ts";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const ROUNDS = Number(process.env.ROUNDS ?? 60);

type Random = () => number;
const below = (random: Random, n: number) => Math.floor(random() * n);

/** Files of a chain as they were found after somebody was at them. */
function tampered(random: Random, scheme: (typeof SCHEME_NAMES)[number]): string[][] {
  const writer = new ChainWriter(scheme);
  const files = Array.from({ length: 1 + below(random, 4) }, () => {
    if (random() < 0.1) writer.restart();
    return writer.lines(1 + below(random, 120));
  });
  for (let n = below(random, 4); n > 0; n--) {
    const lines = files[below(random, files.length)]!;
    const i = below(random, lines.length);
    const j = below(random, lines.length);
    const line = lines[i]!;
    const put = (at: number, text: string) => {
      lines[at] = text;
    };
    const ways: (() => unknown)[] = [
      () => put(i, line.replace('"x"', '"y"')),
      () => lines.splice(i, 1 + below(random, 3)),
      () => lines.splice(j, 0, line),
      () => lines.splice(j, 0, ...lines.splice(i, 1)),
      () => put(i, "garbage"),
      () => put(i, line.replace(/, ?"(?:_integrity_hash|hash)": ?"[0-9a-f]*"/, "")),
      () => put(i, line.replace(/"([0-9a-f]{60})[0-9a-f]{4}"}$/, '"$10000"}')),
      () => lines.splice(i, 2, ...lines.slice(i, i + 2).reverse()),
      () => lines.splice(i, lines.length),
    ];
    ways[below(random, ways.length)]!();
    if (lines.length === 0) lines.push(line);
  }
  // What stands before the first hash is from before integrity, and whoever reads files leaves out all of the file.
  if (!/"(?:hash|_integrity_hash)"/.test(files[0]![0]!)) return tampered(random, scheme);
  return files;
}

test.each(SCHEME_NAMES)(`%s, seed ${SEED}`, (scheme) => {
  const root = mkdtempSync(join(tmpdir(), "audit-agent-chain-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (let round = 0; round < ROUNDS; round++) {
    const random = seeded(SEED + round);
    const folder = join(root, String(round));
    mkdirSync(folder);
    const files = tampered(random, scheme).map((lines, i): TestFile => {
      const path = join(folder, `audit-${i}.jsonl`);
      writeFileSync(path, `${lines.join("\n")}\n`);
      return fileOf(path);
    });
    const answer = walk(
      schemeOf(scheme),
      files.map(({ path, lines }) => ({ name: basename(path), bytes: Buffer.from(`${lines.join("\n")}\n`) })),
    );
    const bench = new ChainBench({ scheme, verified_every: "0" });
    const sizes = random() < 0.3 ? 1 : 1 + below(random, 200);
    for (const file of files) {
      for (let from = 0; from < file.lines.length; ) {
        const to = Math.min(file.lines.length, from + 1 + below(random, sizes));
        bench.read(file, from, to);
        from = to;
        if (random() < 0.1) bench.start();
        if (random() < 0.1) bench.tick(5);
      }
    }
    bench.end();
    const told = bench.told
      .filter(({ kind }) => kind !== undefined)
      .map(({ file, line, kind }) => ({ file: basename(file!), line, kind }))
      .sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line! - b.line!));
    const expected = answer.breaks.filter(({ kind }) => kind !== "head_missing");
    expect(told, `seed ${SEED + round}`).toEqual(expected);
  }
});
