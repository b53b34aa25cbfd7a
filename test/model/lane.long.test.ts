import { describe, it } from "vitest";
import { simulateMany } from "./lane-model.ts";

describe("lanes beside a plain model, for long", () => {
  it("thousands of runs from a new seed", async () => {
    await simulateMany(Number(process.env.MODEL_RUNS ?? 3_000), Number(process.env.SEED ?? Date.now() % 1_000_000_000));
  });
});
