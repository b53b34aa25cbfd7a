/** The licence texts of what is published inside our own files. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Of every package that has one of these files. Throws for a package without a licence: what cannot be named must not be shipped. */
export async function licences(files: Iterable<string>): Promise<string> {
  const folders = new Set<string>();
  for (const path of files) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path);
    if (folder) folders.add(folder[0]);
  }
  const texts: string[] = [];
  for (const folder of [...folders].sort()) texts.push(await licence(join(ROOT, folder)));
  return `audit-agent contains the following packages.\n\n${texts.join(`\n${"-".repeat(80)}\n\n`)}`;
}

async function licence(folder: string): Promise<string> {
  const about = JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  const names = (await readdir(folder)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name)).sort();
  if (names.length === 0 && typeof about.license !== "string") throw new Error(`${folder} has no licence`);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  const head = `${about.name} ${about.version} (${about.license ?? "see below"})`;
  return [head, ...texts.map((text) => text.trim())].join("\n\n").concat("\n");
}
