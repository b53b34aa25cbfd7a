/** Who verifies the chain, each by its own CPU time on one core. */
import { spawnSync } from "node:child_process";
import { createHash, hash } from "node:crypto";
import { join } from "node:path";
import { verifyPaths } from "../agent/integrity/offline/index.ts";
import { ChainReader, Step } from "../agent/integrity/reader.ts";
import { type SchemeName, schemeOf } from "../agent/integrity/scheme.ts";
import type { Chain } from "./chain-corpus.ts";

export interface Contender {
  readonly name: string;
  /** All others are compared with it. */
  readonly reference?: true;
  readonly schemes: readonly SchemeName[];
  /** CPU seconds. Throws unless every entry was found to follow. */
  verify(chain: Chain): number | Promise<number>;
}

const ALL: readonly SchemeName[] = ["loki-dashboard", "app", "loki-agent"];

export const CONTENDERS: readonly Contender[] = [
  { name: "Python: json, hashlib", reference: true, schemes: ["loki-dashboard", "app"], verify: python },
  { name: "Node.js: JSON, createHash", reference: true, schemes: ["loki-agent"], verify: node },
  { name: "filter: `ChainReader.next`", schemes: ALL, verify: reader },
  {
    name: "offline: `audit-agent verify`, one thread",
    schemes: ALL,
    verify: async (input) => (await offline(input, 1)).cpu,
  },
  { name: "SHA-256 alone", schemes: ALL, verify: sha256 },
];

function cpuSeconds(run: () => void): number {
  const begin = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(begin);
  return (user + system) / 1e6;
}

function all(found: number, { entries, path }: Chain): void {
  if (found !== entries) throw new Error(`${found} of ${entries} entries of ${path} follow`);
}

function python(chain: Chain): number {
  const script = join(import.meta.dirname, "chain_reference.py");
  const { status, stdout, stderr } = spawnSync("python3", [script, chain.scheme, chain.path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${script} exited with ${status}: ${stderr}`);
  const { entries, seconds } = JSON.parse(stdout) as { entries: number; seconds: number };
  all(entries, chain);
  return seconds;
}

/** As the agent's own verifier does it, but for the reading: it cannot read what is longer than a string may be. */
function node(chain: Chain): number {
  let found = 0;
  const seconds = cpuSeconds(() => {
    let previous: unknown = "GENESIS";
    for (let i = 0; i < chain.entries; i++) {
      const line = chain.bytes.toString("utf8", chain.starts[i], chain.ends[i]);
      const entry = JSON.parse(line) as Record<string, unknown>;
      const { seq, timestamp, who, what, where, why, metadata, previousHash } = entry;
      const text = JSON.stringify({ seq, timestamp, who, what, where, why, metadata, previousHash });
      if (previousHash !== previous || createHash("sha256").update(text).digest("hex") !== entry.hash) break;
      previous = entry.hash;
      found++;
    }
  });
  all(found, chain);
  return seconds;
}

function reader(chain: Chain): number {
  const { bytes, starts, ends, entries, scheme } = chain;
  const chainReader = new ChainReader(schemeOf(scheme));
  let found = 0;
  const seconds = cpuSeconds(() => {
    for (let i = 0; i < entries; i++) {
      if (chainReader.next(bytes, starts[i]!, ends[i]!) === Step.follows) found++;
    }
  });
  all(found, chain);
  return seconds;
}

/** Bytes of a line that are not hashed: the hash's member, without the hash before that is hashed instead. */
const UNHASHED: Record<SchemeName, number> = { "loki-dashboard": 23, app: 92, "loki-agent": 74 };

/** Seconds, by the clock and of CPU in all threads. */
export async function offline(input: Chain, jobs: number): Promise<{ wall: number; cpu: number }> {
  const from = performance.now();
  const begin = process.cpuUsage();
  const { valid, entries_checked: found } = await verifyPaths([input.path], { scheme: input.scheme, jobs });
  const { user, system } = process.cpuUsage(begin);
  all(valid ? found : -1, input);
  return { wall: (performance.now() - from) / 1000, cpu: (user + system) / 1e6 };
}

/** As many bytes, of the same lines, and nothing else: nobody who asks Node.js for one hash an entry is faster. */
function sha256({ bytes, starts, ends, entries, scheme }: Chain): number {
  const less = UNHASHED[scheme];
  return cpuSeconds(() => {
    for (let i = 0; i < entries; i++) hash("sha256", bytes.subarray(starts[i]!, ends[i]! - less));
  });
}
