import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { type ContractSettings, type Harness, outputContract } from "../../test/contract/output-contract.ts";
import file from "./index.ts";
import { readSealed } from "./sealed-file.ts";

const KEY = "0123456789abcdef".repeat(4);
const key = Buffer.from(KEY, "hex");

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path);
  if (path.endsWith(".gz")) return gunzipSync(bytes).toString();
  if (path.endsWith(".zst")) return zstdDecompressSync(bytes).toString();
  if (!bytes.subarray(0, 8).equals(Buffer.from("AAGENTS1"))) return bytes.toString();
  const parts: Buffer[] = [];
  for await (const part of readSealed(path, key)) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** Closed files by number, then the one being written. */
function order(name: string): number {
  return Number(/\.(\d+)(\.gz|\.zst)?$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY);
}

function harness(options: Record<string, unknown>): () => Promise<Harness> {
  return async () => {
    const home = await mkdtemp(join(tmpdir(), "file-output-"));
    const archive = join(home, "archive");
    return {
      options: { path: join(archive, "audit-%Y-%m-%d.jsonl"), ...options },
      async received() {
        const names = (await readdir(archive).catch(() => [])).filter((name) => /^audit-.*(?<!\.tmp)$/.test(name));
        names.sort((a, b) => order(a) - order(b));
        const texts = await Promise.all(names.map((name) => textOf(join(archive, name))));
        return texts.flatMap((text) => text.split("\n").slice(0, -1));
      },
      async fail() {
        await mkdir(archive, { recursive: true });
        await rename(archive, `${archive}.away`);
        await writeFile(archive, "in the way");
      },
      async heal() {
        await rm(archive);
        await rename(`${archive}.away`, archive);
      },
      secrets: [KEY],
      stop: () => rm(home, { recursive: true, force: true }),
    };
  };
}

const skip = {
  throttled: "a disk has no such answer",
  refused: "a disk refuses no single record",
  hang: "a call into a hanging file system cannot be taken back; the lane stops waiting for it",
  drop: "torn appends are tried byte by byte in append.test.ts",
  restart: "a disk does not restart",
  answerEarly: "a disk does not answer",
};
const original: ContractSettings["skip"] = {
  "NaN does not poison": "originals stay as they are",
  "what is no JSON arrives as a message": "originals stay as they are",
  "additions are merged once": "originals get none",
};

outputContract(file, harness({}), { skip });
outputContract(file, harness({ format: "original" }), { skip: { ...skip, ...original } });
outputContract(file, harness({ encrypt: true, key: KEY, compression: "zstd" }), { skip });
outputContract(file, harness({ rotate: { size: "2k" }, compression: "gzip" }), { skip });
