/** In which order the files of a chain were written. */
import { basename } from "node:path";
import { compareNames, groupOf } from "../../../inputs/shared/files/group.ts";
import { ChainReader, Entry } from "../reader.ts";
import type { Scheme } from "../scheme.ts";
import { linesAfter, linesBefore } from "./near.ts";
import type { ChainFile, Opened } from "./opened.ts";
import { MAX_LINE } from "./scan.ts";
import { hasHashField } from "./scheme.ts";

export type OrderName = "mtime" | "name" | "chain";

export interface Ordered {
  readonly files: readonly ChainFile[];
  readonly by: OrderName;
  /** Not the order of modification times, which does not hold together as well. */
  readonly mtimesLost: boolean;
}

/** What the order needs to know of a file. */
interface Probe {
  readonly file: ChainFile;
  /** Nothing stands in it. */
  readonly empty: boolean;
  /** Its first line that is not blank has a hash. */
  readonly hashed: boolean;
  /** The first entry with a hash, as text. */
  readonly first: Buffer | undefined;
  /** The last hash. */
  readonly last: string | undefined;
}

export interface Beginning {
  /** The hash before the first entry. */
  readonly tip: string;
  /** The first entry may follow anything. */
  readonly anchored: boolean;
}

/** More files are not put in order by their hashes: that would be more than a million comparisons. */
const MOST_CHAINED = 1000;
const PROBED = 8 * 1024 * 1024;

export async function inOrder(
  files: readonly ChainFile[],
  wanted: OrderName | "auto",
  scheme: Scheme,
  beginning: Beginning,
): Promise<Ordered> {
  const byTime = [...files].sort((a, b) => a.mtime - b.mtime || byName(a, b));
  if (wanted === "mtime" || files.length < 2) return { files: byTime, by: "mtime", mtimesLost: false };
  const named = [...files].sort(byName);
  if (wanted === "name") return { files: named, by: "name", mtimesLost: false };
  const probes = new Map<ChainFile, Probe>();
  for (const file of byTime) probes.set(file, await probe(file, scheme));
  const probesOf = (order: readonly ChainFile[]) => order.map((file) => probes.get(file)!);
  if (wanted === "chain") return { files: chained(probesOf(named), scheme, beginning), by: "chain", mtimesLost: false };

  let best: Ordered = { files: byTime, by: "mtime", mtimesLost: false };
  let fewest = brokenBoundaries(probesOf(byTime), scheme, beginning);
  for (const by of ["name", "chain"] as const) {
    if (fewest === 0) break;
    if (by === "chain" && (files.length > MOST_CHAINED || isCertain(byTime, named))) break;
    const order = by === "name" ? named : chained(probesOf(named), scheme, beginning);
    const broken = brokenBoundaries(probesOf(order), scheme, beginning);
    if (broken < fewest) {
      fewest = broken;
      best = { files: order, by, mtimesLost: true };
    }
  }
  return best;
}

/** Dates or numbers in the names and modification times say the same: where the hashes say otherwise, it is not the times that were lost. */
function isCertain(byTime: readonly ChainFile[], named: readonly ChainFile[]): boolean {
  const group = groupOf(plainName(byTime[0]!), "pattern");
  return byTime.every(
    (file, i) =>
      file === named[i] &&
      groupOf(plainName(file), "pattern") === group &&
      (i === 0 || byTime[i - 1]!.mtime < file.mtime),
  );
}

function plainName({ path }: ChainFile): string {
  return basename(path).replace(/\.(gz|zst)$/, "");
}

function byName(a: ChainFile, b: ChainFile): number {
  return compareNames(plainName(a), plainName(b)) || (a.path < b.path ? -1 : 1);
}

function brokenBoundaries(order: readonly Probe[], scheme: Scheme, { tip: start, anchored }: Beginning): number {
  const reader = new ChainReader(scheme);
  let tip = start;
  let free = anchored;
  let begun = scheme.name !== "loki-dashboard";
  let broken = 0;
  for (const { empty, hashed, first, last } of order) {
    if (!begun && !hashed) continue;
    begun = true;
    if (empty) continue;
    if (first !== undefined) reader.read(first, 0, first.length);
    if (!hashed || first === undefined || !(free || reader.follows(tip))) broken++;
    free = false;
    tip = last ?? tip;
  }
  return broken;
}

/** Genesis first, then whichever file goes on from the last hash; what fits nowhere keeps the order of the names. */
function chained(named: readonly Probe[], scheme: Scheme, { tip }: Beginning): ChainFile[] {
  const isPart = ({ hashed, first }: Probe) => hashed && first !== undefined;
  const parts = named.filter(isPart);
  const reader = new ChainReader(scheme);
  const next = new Map<Probe, Probe>();
  const heads: Probe[] = [];
  const orphans: Probe[] = [];
  for (const [i, part] of parts.entries()) {
    reader.read(part.first!, 0, part.first!.length);
    if (reader.follows(tip)) {
      heads.push(part);
      continue;
    }
    let found = false;
    for (const before of nearestFirst(parts, i)) {
      found = before.last !== undefined && !next.has(before) && reader.follows(before.last);
      if (!found) continue;
      next.set(before, part);
      break;
    }
    if (!found) orphans.push(part);
  }
  const order = new Set<Probe>();
  // A ring has neither head nor orphan.
  for (const start of [...heads, ...orphans, ...parts]) {
    for (let at: Probe | undefined = start; at !== undefined && !order.has(at); at = next.get(at)) order.add(at);
  }
  // Without a hash at the front nothing but the name tells that a file is from before there were hashes: a stripped one must not pass for it.
  const firstPart = named.findIndex(isPart);
  const older = named.filter((one, i) => !isPart(one) && i < firstPart);
  const others = named.filter((one, i) => !isPart(one) && i >= firstPart);
  return [...older, ...order, ...others].map(({ file }) => file);
}

/** All but the one at `i`. Mostly a neighbour is the one that is looked for, whose names are not all wrong. */
function* nearestFirst(parts: readonly Probe[], i: number): Generator<Probe> {
  for (let distance = 1; distance < parts.length; distance++) {
    if (i >= distance) yield parts[i - distance]!;
    if (i + distance < parts.length) yield parts[i + distance]!;
  }
}

async function probe(file: ChainFile, scheme: Scheme): Promise<Probe> {
  const opened = await file.open(scheme.lines);
  try {
    const head = await opened.firstLine(MAX_LINE);
    const reader = new ChainReader(scheme);
    const isChained = ({ bytes }: { bytes: Buffer }) => reader.read(bytes, 0, bytes.length) === Entry.chained;
    const hashed = head !== undefined && hasHashField(head, scheme);
    const first =
      head !== undefined && isChained({ bytes: head })
        ? head
        : [1, 1000].map((count) => linesAfter(opened, opened.start, count, scheme.lines).find(isChained)).find(Boolean)
            ?.bytes;
    const last = await lastHash(opened, isChained, reader);
    return { file, empty: head === undefined, hashed, first: first && Buffer.from(first), last };
  } finally {
    if (!file.once) await opened.close();
  }
}

async function lastHash(
  opened: Opened,
  isChained: (line: { bytes: Buffer }) => boolean,
  reader: ChainReader,
): Promise<string | undefined> {
  while (!opened.ended) {
    await opened.fill(opened.text.end + PROBED);
    opened.release(opened.text.end);
  }
  for (const count of [4, Number.POSITIVE_INFINITY]) {
    if (linesBefore(opened, opened.end, count, opened.mode).some(isChained)) return reader.stored;
  }
  return undefined;
}
