import { describe, it } from "vitest";
import { simulateMany } from "./lane-model.ts";

describe("lanes beside a plain model, for long", () => {
  it("hundreds of runs from a new seed; MODEL_RUNS=5000 for more", async () => {
    await simulateMany(Number(process.env.MODEL_RUNS ?? 400), Number(process.env.SEED ?? Date.now() % 1_000_000_000));
  });
});
