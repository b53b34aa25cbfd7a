/** The chains of the real writers through the filter: it tells the same as whoever sees all files at once. */
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import { seeded } from "../../test/fakes/random.ts";
import { byAge, type CorpusCase, corpusCases, inCopy } from "../../test/oracle/cases.ts";
import { walk } from "../../test/oracle/walk.ts";
import { ChainBench, fileOf } from "./harness.ts";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
const ROUNDS = 6;

interface Place {
  readonly file: string;
  readonly line: number | null | undefined;
  readonly kind: string | undefined;
}

/** Reads the case in batches of random sizes. `restart`: how likely a new process goes on after a batch. */
async function told(
  about: CorpusCase,
  random: () => number,
  restart: number,
): Promise<{ places: Place[]; bench: ChainBench }> {
  return inCopy(about, (folder) => {
    const bench = new ChainBench({ verified_every: "0" });
    for (const name of about.files_oldest_first) {
      const file = fileOf(join(folder, name));
      for (let from = 0; from < file.lines.length; ) {
        const to = Math.min(file.lines.length, from + 1 + Math.floor(random() ** 3 * 200));
        bench.read(file, from, to);
        from = to;
        if (random() < restart) bench.start();
        if (random() < 0.3) bench.tick(10);
      }
    }
    bench.end();
    const places = bench.told
      .filter(({ kind }) => kind !== undefined)
      .map(({ file, line, kind }) => ({ file: basename(file!), line, kind }));
    return { places, bench };
  });
}

describe(`seed ${SEED}`, () => {
  test.each(corpusCases())("$case: $note", async (about) => {
    const answer = await inCopy(about, (folder) => walk(schemeOf(about.scheme), byAge(folder)));
    // In flight the first entry is the anchor.
    const expected = answer.breaks.filter(({ kind }) => kind !== "head_missing");
    const random = seeded(SEED);
    const whole = await told(about, () => 0.999, 0);
    expect(whole.places).toEqual(expected);
    expect(whole.bench.of("started")).toHaveLength(1);
    for (let round = 0; round < ROUNDS; round++) {
      const { places, bench } = await told(about, random, round / ROUNDS);
      expect(places).toEqual(expected);
      expect(bench.of("started")).toHaveLength(1);
      expect(new Set(bench.told.map(({ id }) => id)).size).toBe(bench.told.length);
      expect(bench.filter.status!().chains!.count).toBe(1);
    }
  });
});
