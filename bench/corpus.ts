/** Files of entries, made once for a kind, a number and a seed, and kept in the temporary directory with what must arrive of them. */
import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { seededIntegers } from "../test/fakes/random.ts";
import { chained } from "./entries/chained.ts";
import type { EntrySource } from "./entries/entry.ts";
import { mixed } from "./entries/mixed.ts";
import { real } from "./entries/real.ts";
import { large, nested, small } from "./entries/shapes.ts";
import { contentHash } from "./normal.ts";
import { add, type Tally } from "./tally.ts";

export const CORPUS_KINDS = ["mixed", "small", "large", "nested", "real", "chained"] as const;
export type CorpusKind = (typeof CORPUS_KINDS)[number];

const SOURCES: readonly EntrySource[] = [mixed, small, large, nested, real, chained];

/** By where each entry starts in the file, as its record id says; by its bytes; by its content (see normal.ts). */
export interface Tallies {
  readonly ids: Tally;
  readonly lines: Tally;
  readonly content: Tally;
}

export interface Corpus {
  readonly kind: CorpusKind;
  readonly path: string;
  readonly entries: number;
  readonly bytes: number;
  readonly all: Tallies;
  /** Of those that `level: info` and `exclude_events: [api.request]` leave. */
  readonly kept: Tallies;
}

/** Rises when the entries change, or what is known of them, so that no old file is taken for a new one. */
const VERSION = 4;
const CHUNK = 4 * 1024 * 1024;
const LONGEST = 64 * 1024;

/** `entries` 0: as many as are usual for that kind. Throws NoSource where they come from somewhere and that is not there. */
export async function corpus(kind: CorpusKind, entries: number, seed: number): Promise<Corpus> {
  const source = SOURCES.find((known) => known.kind === kind)!;
  const count = entries || source.entries;
  const folder = join(tmpdir(), `audit-agent-bench-${userInfo().username}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(
    folder,
    [kind, `v${VERSION}`, source.version?.() ?? "", seed, `${count}.jsonl`].filter((part) => part !== "").join("-"),
  );
  try {
    return JSON.parse(await readFile(`${path}.about`, "utf8")) as Corpus;
  } catch {
    return make(source, path, count, seed);
  }
}

async function make(source: EntrySource, path: string, entries: number, seed: number): Promise<Corpus> {
  const entryAt = source.from(seededIntegers(seed));
  const out = createWriteStream(`${path}.new`, { mode: 0o600 });
  const all = noTallies();
  const kept = noTallies();
  let offset = 0;
  let buffer = Buffer.alloc(CHUNK + LONGEST);
  let used = 0;
  for (let i = 0; i < entries; i++) {
    const entry = entryAt(i);
    const from = used;
    used += typeof entry.line === "string" ? buffer.write(entry.line, used) : entry.line.copy(buffer, used);
    const line = buffer.subarray(from, used);
    buffer[used++] = 0x0a;
    count(all, offset, line);
    if (entry.kept) count(kept, offset, line);
    offset += used - from;
    if (used < CHUNK && i < entries - 1) continue;
    // The stream keeps what it is given until it is written, so each chunk has a buffer of its own.
    if (!out.write(buffer.subarray(0, used))) await new Promise((resolve) => out.once("drain", resolve));
    buffer = Buffer.alloc(CHUNK + LONGEST);
    used = 0;
  }
  await new Promise<void>((resolve, reject) => out.end((error?: Error | null) => (error ? reject(error) : resolve())));
  await rename(`${path}.new`, path);
  const about: Corpus = { kind: source.kind, path, entries, bytes: offset, all, kept };
  await writeFile(`${path}.about`, JSON.stringify(about), { mode: 0o600 });
  return about;
}

function noTallies(): Tallies {
  const none = (): Tally => ({ entries: 0, checksum: 0 });
  return { ids: none(), lines: none(), content: none() };
}

function count({ ids, lines, content }: Tallies, offset: number, line: Buffer): void {
  add(ids, offset);
  add(lines, crc32(line));
  add(content, contentHash(line));
}
