import { spawnSync } from "node:child_process";
import { test } from "vitest";

/** Whether python3 is there. Makes the test "python3 is there", which is what complains where it is not. */
export function pythonIsThere(): boolean {
  const there = spawnSync("python3", ["--version"]).status === 0;
  test("python3 is there", (context) => {
    if (there) return;
    const reason = "no python3, so nothing was tried against the generated chains";
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(`${reason}, and REQUIRE_SERVICES=1`);
    process.stderr.write(`\n*** SKIPPED: ${reason} ***\n`);
    context.skip(reason);
  });
  return there;
}
