/** logrotate's `copytruncate` on what is read: between the copy and the cut entries may be lost, and nobody but the writer ever had them. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import picomatch from "picomatch";
import { type Finding, ok, type Subject, warn } from "./check.ts";
import { filesOf, readers } from "./files.ts";

interface Rule {
  /** File that holds it. */
  readonly file: string;
  readonly patterns: readonly string[];
  readonly copytruncate: boolean;
}

export async function checkRotation({ config, system }: Subject): Promise<readonly Finding[]> {
  const rules = await rulesIn(system.etc);
  const findings: Finding[] = [];
  let rotated = 0;
  for (const { alias, settings } of readers(config)) {
    const { files } = await filesOf(settings);
    const plain = settings.path.filter((path) => !picomatch.scan(path).isGlob);
    for (const { file, patterns, copytruncate } of rules) {
      const matches = picomatch([...patterns], { dot: true });
      const found = [...new Set([...files, ...plain])].filter((path) => matches(path));
      if (found.length === 0) continue;
      rotated++;
      if (!copytruncate) continue;
      const what = `${alias}: ${file} rotates ${found[0]}${found.length > 1 ? ` and ${found.length - 1} more` : ""} with copytruncate, which loses what is written between the copy and the cut`;
      const todo =
        "replace copytruncate by create (or nocopytruncate), and let the writer open its file anew in postrotate";
      findings.push(warn(what, todo));
    }
  }
  if (findings.length > 0) return findings;
  return [
    ok(
      rotated > 0 ? "logrotate renames what is read, and loses nothing" : "no rule of logrotate is about what is read",
    ),
  ];
}

async function rulesIn(etc: string): Promise<Rule[]> {
  const folder = join(etc, "logrotate.d");
  const names = await readdir(folder).catch(() => []);
  const main = join(etc, "logrotate.conf");
  const texts = await Promise.all(
    [main, ...names.map((name) => join(folder, name))].map(async (file) => ({
      file,
      text: await readFile(file, "utf8").catch(() => ""),
    })),
  );
  const everywhere = texts.filter(({ file }) => file === main).some(({ text }) => saysCopytruncate(outside(text)));
  return texts.flatMap(({ file, text }) => parseRules(file, text, everywhere));
}

/** `"/var/log/a.log" /var/log/b/*.log { … }`; scripts between `postrotate` and `endscript` may hold braces. */
export function parseRules(file: string, text: string, everywhere = false): Rule[] {
  const plain = withoutScripts(text);
  return [...plain.matchAll(/^([^{}]*)\{([^}]*)\}/gm)].map(([, head, body]) => {
    const patterns = [...head!.matchAll(/"([^"]+)"|'([^']+)'|(\/\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
    const copytruncate = saysCopytruncate(body!) || (everywhere && !/^\s*(nocopytruncate|create)\b/m.test(body!));
    return { file, patterns, copytruncate };
  });
}

const saysCopytruncate = (text: string) => /^\s*copytruncate\b/m.test(text);

function withoutScripts(text: string): string {
  return text
    .replace(/^\s*#.*$/gm, "")
    .replace(/^\s*(?:pre|post|first|last)(?:rotate|action|remove)\b[\s\S]*?^\s*endscript\b/gm, "");
}

function outside(text: string): string {
  return withoutScripts(text).replace(/\{[^}]*\}/g, "");
}
