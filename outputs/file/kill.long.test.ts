import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { seeded } from "../../test/fakes/random.ts";
import { readSealed } from "./sealed-file.ts";

const KEY = "ab".repeat(32);
const ROUNDS = 60;

async function textOf(path: string): Promise<string> {
  if (path.endsWith(".gz")) return gunzipSync(await readFile(path)).toString();
  const bytes = await readFile(path);
  if (!bytes.subarray(0, 4).equals(Buffer.from("AAGE"))) return bytes.toString();
  const parts: Buffer[] = [];
  for await (const part of readSealed(path, Buffer.from(KEY, "hex"))) parts.push(part);
  return Buffer.concat(parts).toString();
}

it.each(["", KEY])(
  "killed at random moments, every entry stands in the archive once and in order (key: %s)",
  async (key) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
    const next = seeded(seed);
    const home = await mkdtemp(join(tmpdir(), "kill-"));
    const run = (until?: number) =>
      spawn(
        process.execPath,
        [fileURLToPath(new URL("./kill-child.ts", import.meta.url)), home, key, ...(until ? [String(until)] : [])],
        {
          stdio: ["ignore", "pipe", "inherit"],
        },
      );
    const reached = async () => (JSON.parse(await readFile(join(home, "state.json"), "utf8")) as { next: number }).next;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const child = run();
        const gone = once(child, "exit");
        await once(child.stdout, "data");
        await delay(next() * 150);
        child.kill("SIGKILL");
        await gone;
      }
      const total = (await reached()) + 100;
      await once(run(total), "exit");
      const archive = join(home, "archive");
      const number = (name: string) => Number(/\.(\d+)(\.gz)?$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
      const names = (await readdir(archive)).filter((n) => n.startsWith("a.")).sort((a, b) => number(a) - number(b));
      expect(
        names.filter((name) => !(name === "a.jsonl" || name.endsWith(key === "" ? ".gz" : ""))),
        "all closed files are compressed",
      ).toEqual([]);
      let text = "";
      for (const name of names) text += await textOf(join(archive, name));
      const found = text
        .split("\n")
        .slice(0, -1)
        .map((line) => (JSON.parse(line) as { n: number }).n);
      expect(found, `seed ${seed}`).toEqual(Array.from({ length: total }, (_, n) => n));
      expect(total).toBeGreaterThan(ROUNDS);
    } finally {
      await rm(home, { recursive: true, force: true });
    }
  },
);
