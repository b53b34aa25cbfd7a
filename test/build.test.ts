import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { bundle } from "../scripts/build.ts";

test("what is published imports node:http without loading Node's undici", async () => {
  const folder = await mkdtemp(join(tmpdir(), "build-"));
  try {
    const entry = join(folder, "entry.ts");
    // Libraries say it without `node:` too.
    const bare = "http";
    const loaded = 'process.moduleLoadList.some((name) => name.endsWith("undici"))';
    await writeFile(
      entry,
      `import * as all from "node:http";
       import { Agent } from "${bare}";
       console.log(typeof all.request, typeof Agent, ${loaded}, typeof all.WebSocket, ${loaded});`,
    );
    await bundle(entry, join(folder, "dist"));
    const { stdout } = await promisify(execFile)(process.execPath, [join(folder, "dist/main.js")]);
    expect(stdout).toBe("function function false function true\n");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
