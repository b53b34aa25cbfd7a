/** docs/benchmarks.md, of which each benchmark writes its own part. */
import { readFile, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const PATH = fileURLToPath(new URL("../docs/benchmarks.md", import.meta.url));
const END = "<!-- / -->";

/** `command` is what made it, `note` what a reader must know of this very run. */
export async function writePart(command: string, text: string, note: string): Promise<void> {
  const begin = `<!-- ${command} -->`;
  const more = note === "" ? "" : `\n\n${note}`;
  const write = command.includes(" -- ") ? " --write" : " -- --write";
  const part = `${begin}\n\nMade by \`${command}${write}\`. ${text}\n\n${machine()}${more}\n\n${END}`;
  const before = await readFile(PATH, "utf8");
  const from = before.indexOf(begin);
  const to = before.indexOf(END, from) + END.length;
  const after = from < 0 ? `${before.trimEnd()}\n\n${part}\n` : before.slice(0, from) + part + before.slice(to);
  await writeFile(PATH, after);
}

function machine(): string {
  const { model } = cpus()[0]!;
  // The agent alone makes about 1 to 2; more was somebody else's, and makes every figure worse than it is.
  const load = `Load average over the last five minutes ${loadavg()[1]!.toFixed(1)}.`;
  return `${cpus().length} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node.js ${process.versions.node}, ${process.platform} ${process.arch}. ${load}`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const [lower, upper] = [sorted[(sorted.length - 1) >> 1]!, sorted[sorted.length >> 1]!];
  return (lower + upper) / 2;
}
