import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { jsonSchema } from "../../config/json-schema.ts";
import type { Registries } from "../api/plugin.ts";
import { type CommandContext, EXIT } from "./context.ts";
import { referencePages } from "./reference.ts";

/** Every generated file: path in the checkout → content. */
export function generated(registries: Registries): Record<string, string> {
  const pages = Object.entries(referencePages(registries)).map(([name, text]) => [`docs/reference/${name}`, text]);
  return { ...Object.fromEntries(pages), "config/schema.json": `${JSON.stringify(jsonSchema(registries), null, 2)}\n` };
}

export async function writeDocs(checkout: string, context: CommandContext): Promise<number> {
  const files = Object.entries(generated(await context.registries()));
  await mkdir(join(checkout, "docs", "reference"), { recursive: true });
  for (const [path, text] of files) {
    await writeFile(join(checkout, path), text);
    context.out(`${path}\n`);
  }
  return EXIT.fine;
}
