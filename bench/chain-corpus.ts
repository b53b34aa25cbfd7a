import { hash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { type SchemeName, schemeOf } from "../agent/integrity/scheme.ts";
import { seededIntegers } from "../test/fakes/random.ts";
import { dashboardMembers, printed } from "./entries/mixed.ts";

/** A chain in one file, and in memory with where its lines are, as a filter has them. */
export interface Chain {
  readonly scheme: SchemeName;
  readonly path: string;
  readonly bytes: Buffer;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
  readonly entries: number;
}

/** Rises when the entries change, so that no old file is taken for a new one. */
const VERSION = 1;
const CHUNK = 4 * 1024 * 1024;

/** Made once for a seed and kept in the temporary directory. */
export function chain(scheme: SchemeName, entries: number, seed: number): Chain {
  const folder = join(tmpdir(), `audit-agent-bench-${userInfo().username}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `chain-v${VERSION}-${scheme}-${seed}-${entries}.jsonl`);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    write(path, scheme, entries, seed);
    bytes = readFileSync(path);
  }
  const starts = new Uint32Array(entries);
  const ends = new Uint32Array(entries);
  let start = 0;
  for (let i = 0; i < entries; i++) {
    starts[i] = start;
    ends[i] = bytes.indexOf(0x0a, start);
    start = ends[i]! + 1;
  }
  if (start !== bytes.length) throw new Error(`${path} has not ${entries} lines`);
  return { scheme, path, bytes, starts, ends, entries };
}

function write(path: string, scheme: SchemeName, entries: number, seed: number): void {
  const next = seededIntegers(seed);
  const out = openSync(`${path}.new`, "w", 0o600);
  let previous = genesisOf(scheme);
  let text = "";
  for (let i = 0; i < entries; i++) {
    const entry = CHAIN_WRITERS[scheme](dashboardMembers(i, next), i, previous);
    previous = entry.hash;
    text += `${entry.line}\n`;
    if (text.length < CHUNK && i < entries - 1) continue;
    writeSync(out, text);
    text = "";
  }
  closeSync(out);
  renameSync(`${path}.new`, path);
}

type Members = [key: string, value: string][];

/** What stands for the hash before the first entry. */
export function genesisOf(scheme: SchemeName): string {
  return schemeOf(scheme).genesis;
}

/** Each writes what is hashed in its own way: no code of the verifier is asked. */
export const CHAIN_WRITERS: Record<
  SchemeName,
  (members: Members, i: number, previous: string) => { line: string; hash: string }
> = {
  "loki-dashboard"(members, _, previous) {
    const own = hash("sha256", previous + sorted(members));
    return { line: printed([...members, ["_integrity_hash", `"${own}"`]]), hash: own };
  },
  app(members, i, previous) {
    const own = hash("sha256", `${previous}:${sorted(members)}`);
    const before = i === 0 ? "null" : `"${previous}"`;
    return { line: printed([...members, ["prev_hash", before], ["hash", `"${own}"`]]), hash: own };
  },
  "loki-agent"(members, i, previous) {
    const { timestamp, user_id: who, action: what, ...rest } = JSON.parse(printed(members)) as Record<string, unknown>;
    const entry = { seq: i, timestamp, who, what, where: "/repo", why: null, metadata: rest, previousHash: previous };
    const own = hash("sha256", JSON.stringify(entry));
    return { line: JSON.stringify({ ...entry, hash: own }), hash: own };
  },
};

/** The values are as Python prints them, and the keys of details in order already. */
function sorted(members: Members): string {
  // "Zoë" is written as it is, and hashed as Python escapes it.
  return printed([...members].sort(([a], [b]) => (a < b ? -1 : 1))).replaceAll("ë", "\\u00eb");
}
