import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { transformSync } from "esbuild";
import { expect, test } from "vitest";

const run = promisify(execFile);
const LAUNCHER = "bin/audit-agent.js";

test("the launcher parses on the oldest runtimes, so that they can say they are too old", () => {
  const source = readFileSync(LAUNCHER, "utf8");
  const supported = { "dynamic-import": true, "import-meta": true };
  const plain = transformSync(source, { format: "esm", target: "esnext" }).code;
  // Lowered to an old language it stays what it was: nothing in it is newer.
  expect(transformSync(source, { format: "esm", target: "es2019", supported }).code).toBe(plain);
  const imports = [...source.matchAll(/^import .* from "(.*)";$/gm)].map(([, from]) => from);
  expect(imports.filter((from) => !from!.startsWith("node:"))).toEqual([]);
});

test.each(["12.22.0", "20.19.0", "23.11.1"])(
  "on Node %s it says in one line what is needed, exit 2",
  async (version) => {
    const pretend = `data:text/javascript,Object.defineProperty(process,"versions",{value:{node:"${version}"}})`;
    const error = await run(process.execPath, ["--import", pretend, LAUNCHER, "--version"]).then(
      () => undefined,
      (e: { code: number; stdout: string; stderr: string }) => e,
    );
    expect(error).toMatchObject({ code: 2, stdout: "" });
    expect(error!.stderr).toMatch(/^audit-agent needs Node\.js 24\.5 or newer; this is [\d.]+ \(.+\)\n$/);
    expect(error!.stderr).toContain(version);
  },
);
