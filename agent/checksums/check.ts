/** Compares a directory with its manifest, and says with what a new one would be written: one pass over each file for both. */
import { readdir, realpath } from "node:fs/promises";
import { posix, resolve } from "node:path";
import { errorCode, messageOf } from "../state/disk.ts";
import { type Digests, digest, lookAt, NotAFileError } from "./digest.ts";
import { MANIFEST, type ManifestLine, SIZES, sizeKey } from "./manifest.ts";
import { type ByteName, byteName, inside, isLogName, pathOf } from "./names.ts";
import type { Manifest, NewLine } from "./store.ts";

/**
 * same: as recorded. grown: what was recorded is still its beginning. tampered: anything else. missing: gone. new: not in the manifest.
 * unreadable: nobody can say. outside: its name leads out of the directory, so it is not even looked at. skipped: nothing to record.
 */
export type State = "same" | "grown" | "tampered" | "missing" | "new" | "unreadable" | "outside" | "skipped";

export interface Finding {
  readonly name: ByteName;
  readonly state: State;
  /** Why, where the state alone does not say it; for people. */
  readonly why: string | undefined;
  /** Bytes hashed. */
  readonly size: number;
}

export interface Checked {
  /** Sorted by name. */
  readonly findings: readonly Finding[];
  /** A manifest of what is there now: of every file that could be hashed, sorted by name. */
  readonly now: readonly NewLine[];
}

/** Files read at once: the disk works while one is hashed. */
const AT_ONCE = 4;

/** `manifest`: undefined where there is none yet. `hashNew`: also what is not in it. Throws where the directory cannot be read. */
export async function check(
  directory: string,
  manifest: Manifest | undefined,
  { hashNew }: { hashNew: boolean },
): Promise<Checked> {
  const there = (await readdir(directory, { encoding: "buffer" })).map(byteName).filter(isLogName);
  const root = byteName(await realpath(directory));
  const { recorded, findings } = sorted(manifest?.lines ?? [], [byteName(resolve(directory)), root]);
  const now: NewLine[] = [];
  const names = [...new Set([...recorded.keys(), ...there])];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const expected = recorded.get(name);
        const { finding, line } = expected
          ? await compare(directory, root, name, expected, manifest!)
          : await look(directory, name, hashNew);
        findings.push(finding);
        if (line !== undefined) now.push(line);
      }
    }),
  );
  const byName = (a: { name: ByteName }, b: { name: ByteName }) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
  return { findings: findings.sort(byName), now: now.sort(byName) };
}

/** The hashes by the file they are of, and what is to be said of those that are about none. */
function sorted(lines: readonly ManifestLine[], roots: readonly ByteName[]) {
  const recorded = new Map<ByteName, Set<string>>();
  const findings: Finding[] = [];
  for (const line of lines) {
    const name = line.name === "-" ? undefined : inside(line.name, roots);
    if (name === undefined) {
      const what = line.name === "-" ? "is standard input" : "leads out of the directory";
      findings.push({ name: line.name, state: "outside", why: `line ${line.line}: ${what}; not hashed`, size: 0 });
    } else if (name === MANIFEST || name === SIZES) {
      findings.push({ name, state: "skipped", why: "no manifest can hold its own checksum", size: 0 });
    } else {
      const known = recorded.get(name);
      if (known === undefined) recorded.set(name, new Set([line.hash]));
      else known.add(line.hash);
    }
  }
  return { recorded, findings };
}

interface Outcome {
  readonly finding: Finding;
  readonly line?: NewLine;
}

async function compare(
  directory: string,
  root: ByteName,
  name: ByteName,
  expected: ReadonlySet<string>,
  { sizes }: Manifest,
): Promise<Outcome> {
  const sizesOf = (hash: string) => sizes.get(sizeKey(name, hash)) ?? [];
  const answer = (state: State, why?: string, size = 0) => ({ finding: { name, state, why, size } });
  let digests: Digests;
  try {
    if (name.includes("/") && !(await staysInside(directory, root, name))) {
      return answer("outside", "leads out of the directory through a symbolic link; not hashed");
    }
    digests = await digest(pathOf(directory, name), [...expected].flatMap(sizesOf));
  } catch (error) {
    if (error instanceof NotAFileError) return answer("tampered", `${error.message} as it was when it was recorded`);
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return answer("missing");
    // Exchanged for a link between two looks at it.
    if (code === "ELOOP") return answer("tampered", "is a symbolic link, not a file as it was when it was recorded");
    return answer("unreadable", messageOf(error));
  }
  const { size, at, growing } = digests;
  const whole = at.get(size)!;
  const line = { name, hash: whole, size };
  let state: State = growing ? "grown" : "same";
  for (const each of expected) {
    if (each === whole) continue;
    const lengths = sizesOf(each);
    if (!lengths.some((length) => at.get(length) === each)) {
      return { ...answer("tampered", reason(size, lengths, expected.size), size), line };
    }
    state = "grown";
  }
  return { ...answer(state, undefined, size), line };
}

function reason(size: number, lengths: readonly number[], lines: number): string {
  if (lines > 1) return "the manifest has several checksums for it, and not all hold";
  const length = Math.min(...lengths);
  if (lengths.length === 0) return "its content is another (no size was kept, so growth alone would look the same)";
  if (size < length) return `has ${size} of the ${length} bytes it had`;
  return `something within the first ${length} bytes, which were recorded, was changed`;
}

/** What is not in the manifest; hashed only where it is to come into it. */
async function look(directory: string, name: ByteName, hash: boolean): Promise<Outcome> {
  const answer = (state: State, why?: string, size = 0) => ({ finding: { name, state, why, size } });
  try {
    // Also without hashing: whether it could be.
    const path = pathOf(directory, name);
    if (!hash) {
      await lookAt(path);
      return answer("new");
    }
    const { size, at } = await digest(path, []);
    return { ...answer("new", undefined, size), line: { name, hash: at.get(size)!, size } };
  } catch (error) {
    if (error instanceof NotAFileError) return answer("skipped", error.message);
    const code = errorCode(error);
    if (code === "ELOOP") return answer("skipped", "is a symbolic link, not a file");
    if (code === "ENOENT") return answer("skipped", "was there, and is gone");
    return answer(hash ? "unreadable" : "new", messageOf(error));
  }
}

async function staysInside(directory: string, root: ByteName, name: ByteName): Promise<boolean> {
  const parent = byteName(await realpath(pathOf(directory, posix.dirname(name)), { encoding: "buffer" }));
  return parent === root || parent.startsWith(root.endsWith("/") ? root : `${root}/`);
}
