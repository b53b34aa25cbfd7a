import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { onTestFinished } from "vitest";

/** A temporary directory of one test, gone with it. */
export class Workspace {
  readonly root: string;

  constructor() {
    this.root = mkdtempSync(join(tmpdir(), "audit-agent-e2e-"));
    onTestFinished(() => rmSync(this.root, { recursive: true, force: true }));
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  /** Writes a file and answers its path. */
  async write(name: string, text: string): Promise<string> {
    const path = this.path(name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
    return path;
  }

  /** Lines of a file; none where it is missing. */
  async lines(name: string): Promise<string[]> {
    return splitLines(await readFile(this.path(name)).catch(() => Buffer.alloc(0)));
  }

  /** Lines of all files of a folder, closed and compressed ones included, in the order of their names. */
  async allLines(folder: string): Promise<string[]> {
    const names = (await readdir(this.path(folder), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort();
    const lines: string[] = [];
    for (const name of names) {
      const bytes = await readFile(name);
      const text = name.endsWith(".gz") ? gunzipSync(bytes) : name.endsWith(".zst") ? zstdDecompressSync(bytes) : bytes;
      // One by one: as arguments of one call they would be too many for the stack.
      for (const line of splitLines(text)) lines.push(line);
    }
    return lines;
  }
}

function splitLines(bytes: Buffer): string[] {
  const lines = bytes.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
