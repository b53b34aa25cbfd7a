import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QueueOptions } from "../../agent/queue/queue.ts";
import { type Command, Model } from "./disk-queue-model.ts";

const append = fc.record({
  do: fc.constant("append" as const),
  lines: fc.nat(5).map((n) => n + 1),
  width: fc.constantFrom(0, 10, 1_000, 7_000),
});
const read = fc.record({
  do: fc.constant("read" as const),
  blocks: fc.nat(4),
  part: fc.constantFrom(0, 0.5, 1),
  sync: fc.boolean(),
});
const crash = fc.record({
  do: fc.constant("crash" as const),
  how: fc.constantFrom("kill" as const, "power" as const),
  after: fc.nat(40),
});
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: append },
  { weight: 3, arbitrary: read },
  { weight: 1, arbitrary: fc.constant<Command>({ do: "flush" }) },
  { weight: 1, arbitrary: fc.constant<Command>({ do: "close" }) },
  { weight: 2, arbitrary: crash },
);

const RUNS = Number(process.env.MODEL_RUNS ?? 150);
const kinds: [string, Partial<QueueOptions>][] = [
  ["plain", {}],
  ["compressed", { compression: "zstd" }],
  ["encrypted", { key: Buffer.alloc(32, 7) }],
];

describe("disk queue beside a plain model", () => {
  for (const [name, options] of kinds) {
    it(`${name}: append, read, settle, crash, reopen: every line once and in order`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(command, { maxLength: 30 }), fc.nat(), async (commands, seed) => {
          const model = new Model(seed, options);
          await model.open();
          for (const one of commands) await model.run(one);
          await model.finish();
          expect(model.queue.stats().blocked).toBeUndefined();
        }),
        { numRuns: name === "plain" ? RUNS : RUNS / 5 },
      );
    });
  }
});
