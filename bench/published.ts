import { cp, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "../scripts/build.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Makes the package as users install it, without its documents, in `folder`; resolves to its command. */
export async function published(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await bundle(join(ROOT, "agent/main.ts"), join(folder, "dist"));
  for (const name of ["bin", "package.json"]) await cp(join(ROOT, name), join(folder, name), { recursive: true });
  return join(folder, "bin/audit-agent.js");
}
