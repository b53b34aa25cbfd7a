import { describe, expect, it } from "vitest";
import { type Command, Model } from "./disk-queue-model.ts";
import { diskError, type Operation } from "./disk-queue-sim.ts";

/** Long enough for several turnovers and recycled files. */
const script: Command[] = [];
for (let i = 0; i < 12; i++) {
  script.push({ do: "append", lines: 2, width: 900 * (i % 7) });
  script.push({ do: "append", lines: 1, width: 9_000 });
  script.push({ do: "flush" });
  script.push({ do: "read", blocks: 3, part: 1, sync: i % 2 === 0 });
}

const CHANGING: readonly Operation[] = ["writev", "datasync", "truncate", "rename", "remove", "syncDirectory"];
const isQueueFile = (path: string) => !path.includes("cursors");

/** Runs the script with `fails` deciding about every change to the segments; answers how many changes there were. */
async function run(
  fails: (n: number, operation: Operation) => string | undefined,
): Promise<{ changes: number; model: Model }> {
  const model = new Model(1);
  await model.open();
  let changes = 0;
  const arm = () => {
    model.disk.before = (operation, path) => {
      if (!isQueueFile(path) || (!CHANGING.includes(operation) && operation !== "open")) return;
      const code = fails(changes++, operation);
      if (code) throw diskError(code);
    };
  };
  arm();
  for (const command of script) await model.run(command);
  model.disk.before = () => undefined;
  // Whatever failed, a kill right now loses nothing either.
  await model.run({ do: "crash", how: "kill", after: 0 }).catch((error: unknown) => {
    if (!String(error).includes("disk_error")) throw error;
    model.events.length = 0;
  });
  model.check("kill");
  await model.finish();
  return { changes, model };
}

describe("a disk that refuses", () => {
  for (const code of ["ENOSPC", "EIO", "EROFS"]) {
    it(`${code} once, at every change of the script: waits, recovers, loses nothing`, { timeout: 60_000 }, async () => {
      const { changes } = await run(() => undefined);
      for (let at = 0; at < changes; at++) {
        const { model } = await run((n) => (n === at ? code : undefined));
        expect(model.position, `${code} at ${at}`).toBe(36);
      }
    });

    it(`${code} five times in a row, from every change on`, { timeout: 60_000 }, async () => {
      const { changes } = await run(() => undefined);
      for (let at = 0; at < changes; at += 3) await run((n) => (n >= at && n < at + 5 ? code : undefined));
    });
  }

  it("every third fsync fails", async () => {
    let syncs = 0;
    await run((_, operation) => (operation === "datasync" && ++syncs % 3 === 0 ? "EIO" : undefined));
  });
});
