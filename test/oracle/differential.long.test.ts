/**
 * Every verifier against thousands of generated chains, whole and tampered with: the verdict and the place are the reference verifiers', kind and
 * number of the breaks those of decision 0011. `SEED=… CASES=…` for others; a failing case is made again with
 * `python3 test/oracle/generate.py --out DIR --seed SEED --first CASE --cases 1`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { differences, type GeneratedCase, generate } from "./generated.ts";
import { pythonIsThere } from "./python.ts";
import { VERIFIERS } from "./verifiers.ts";

const SEED = Number(process.env.SEED ?? 20_260_212);
const CASES = Number(process.env.CASES ?? 2_000);
/** Enough to see what is wrong. */
const SHOWN = 20;

describe.runIf(pythonIsThere())(`${CASES} chains of seed ${SEED}`, () => {
  let folder: string;
  let cases: readonly GeneratedCase[];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "audit-agent-oracle-"));
    cases = generate(folder, SEED, CASES);
  }, 600_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(VERIFIERS)("$name", async ({ verify, findsOrder, oneOf }) => {
    const wrong: string[] = [];
    let asked = 0;
    for (const each of cases.filter((_, i) => i % oneOf === 0)) {
      const answer = await verify(each, join(folder, each.case));
      if (answer === undefined) continue;
      asked++;
      // To one that is told the order, the times are of no importance.
      const about = findsOrder ? each : { ...each, modification_times: { order: "kept" as const } };
      for (const difference of differences(about, answer)) {
        wrong.push(`${each.case} ${each.scheme} ${each.tampering} (${each.modification_times.order}): ${difference}`);
      }
    }
    expect(wrong.slice(0, SHOWN), `${wrong.length} differences, seed ${SEED}`).toEqual([]);
    expect(asked).toBeGreaterThan((cases.length / oneOf) * 0.9);
  });

  test("every tampering is among them, with every scheme", () => {
    const tamperings = new Set(cases.map(({ tampering }) => tampering));
    const pairs = new Set(cases.map(({ tampering, scheme }) => `${tampering} ${scheme}`));
    expect(tamperings.size).toBeGreaterThanOrEqual(Math.min(CASES, 45));
    // Some apply to one scheme alone.
    if (CASES >= 2_000) expect(pairs.size).toBeGreaterThan(tamperings.size * 2.5);
  });
});
