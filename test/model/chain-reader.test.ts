import { expect, test } from "vitest";
import { SCHEME_NAMES } from "../../agent/integrity/scheme.ts";
import { compareReaders } from "./chain-reader-model.ts";

test.each(SCHEME_NAMES)(
  "%s: the reader's fast path accepts just what its plain one does, on 5,000 entries",
  (scheme) => {
    expect(compareReaders(scheme, Number(process.env.SEED ?? 1), 5_000)).toBeUndefined();
  },
);
