/** The real writers' chains: verdict, position and kind are the reference verifiers'. */
import { expect, test } from "vitest";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import { byAge, corpusCases, inCopy } from "./cases.ts";
import { walk } from "./walk.ts";

const CASES = corpusCases();

test("all the cases are there", () => {
  expect(CASES.length).toBe(32);
});

test.each(CASES)("$case: $note", async (about) => {
  const answer = await inCopy(about, (folder) => walk(schemeOf(about.scheme), byAge(folder)));
  expect(answer).toMatchObject(about.reference);
  expect(answer.breaks[0]?.kind ?? null).toBe(about.first_break_kind);
  // Only where the reference computes one.
  if (about.tip_hash !== undefined) expect(answer.tip_hash).toBe(about.tip_hash);
});
