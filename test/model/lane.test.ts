import { describe, it } from "vitest";
import { simulateMany } from "./lane-model.ts";

describe("lanes beside a plain model", () => {
  it("misbehaving destinations, disks and machines: every record delivered, buried or counted; the ledger always balances", async () => {
    await simulateMany(Number(process.env.MODEL_RUNS ?? 150), Number(process.env.SEED ?? 1));
  }, 120_000);
});
