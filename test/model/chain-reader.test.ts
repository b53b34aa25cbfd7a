import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ChainReader, Step } from "../../agent/integrity/reader.ts";
import { SCHEME_NAMES, schemeOf } from "../../agent/integrity/scheme.ts";
import { compareReaders } from "./chain-reader-model.ts";

test.each(SCHEME_NAMES)(
  "%s: the reader's fast path accepts just what its plain one does, on 5,000 entries",
  (scheme) => {
    expect(compareReaders(scheme, Number(process.env.SEED ?? 1), 5_000)).toBeUndefined();
  },
);

test("an agent's line that is no UTF-8 is read as its verifier reads it, also where its very bytes were hashed", () => {
  const scheme = schemeOf("loki-agent");
  const head = Buffer.from('{"seq":0,"timestamp":"t","who":"x","what":"w","where":null,"why":null,"metadata":null,');
  head[head.indexOf("x")] = 0xff;
  const hashed = Buffer.concat([head, Buffer.from('"previousHash":"GENESIS"')]);
  for (const bytes of [hashed, Buffer.from(hashed.toString("utf8"))]) {
    const hash = createHash("sha256").update(bytes).update("}").digest("hex");
    const line = Buffer.concat([hashed, Buffer.from(`,"hash":"${hash}"}`)]);
    const step = new ChainReader(scheme).next(line, 0, line.length);
    // The verifier reads U+FFFD, and prints it.
    expect(step).toBe(bytes === hashed ? Step.breaks : Step.follows);
  }
});
