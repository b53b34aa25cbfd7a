/**
 * The plainest verifier there is: `ChainReader` and `Judge`, one entry after the other, over whole files in memory. It shows that the two agree
 * with the reference, before and apart from whatever reads files fast.
 */
import { Judge, type Surroundings } from "../../agent/integrity/judge.ts";
import { ChainReader, Step } from "../../agent/integrity/reader.ts";
import type { Scheme } from "../../agent/integrity/scheme.ts";
import { isBlank, stripped } from "../../agent/integrity/space.ts";
import { scanRecord } from "../../agent/json/explain.ts";
import { findMember } from "../../agent/json/value.ts";
import type { Answer, Break } from "./answer.ts";

interface Line {
  readonly file: string;
  readonly number: number;
  readonly bytes: Buffer;
  /** "" where it has none that is a string. */
  readonly hash: string;
}

/** `read` are the files, the oldest first. */
export function walk(scheme: Scheme, read: readonly { readonly name: string; readonly bytes: Buffer }[]): Answer {
  const files = read.map((file) => ({ ...file, lines: linesOf(scheme, file.name, file.bytes) }));
  let skipped = 0;
  if (scheme.name === "loki-dashboard") {
    while (skipped < files.length && !hasHash(scheme, files[skipped]!.lines[0])) skipped++;
  }
  const checked = files.slice(skipped);
  const lines = checked.flatMap((file) => file.lines);
  const { breaks, entries, tip } = verify(scheme, lines);
  const first = breaks[0];
  return {
    valid: first === undefined,
    files_checked: first ? checked.findIndex((file) => file.name === first.file) + 1 : checked.length,
    files_skipped: skipped,
    entries_checked: entries,
    first_tampered_file: first?.file ?? null,
    first_tampered_line: first?.line ?? null,
    genesis_file: checked[0]?.name ?? null,
    tip_hash: tip,
    breaks,
  };
}

/** `entries` and `tip` are those before the first break. */
function verify(scheme: Scheme, lines: readonly Line[]) {
  const reader = new ChainReader(scheme);
  const judge = new Judge();
  const breaks: Break[] = [];
  let entries = 0;
  let tip: string | undefined;
  lines.forEach((line, i) => {
    const before = reader.tip;
    const step = reader.next(line.bytes, 0, line.bytes.length);
    if (step === Step.follows) {
      if (tip === undefined) entries++;
      return;
    }
    tip ??= before;
    const { kind } = judge.judge(reader, step, surroundings(lines, i));
    if (kind !== undefined) breaks.push({ file: line.file, line: line.number, kind });
  });
  return { breaks, entries, tip: tip ?? reader.tip };
}

function surroundings(lines: readonly Line[], i: number): Surroundings {
  const file = lines[i]!.file;
  const earlier = () => lines.slice(0, i).filter(({ hash }) => hash !== "");
  return {
    get firstOfChain() {
      return earlier().length === 0;
    },
    get firstOfFile() {
      return !earlier().some((line) => line.file === file);
    },
    before: (count) =>
      earlier()
        .slice(-count)
        .reverse()
        .map(({ hash }) => hash),
    after: (count) =>
      lines
        .slice(i + 1, i + 1 + count)
        .map(({ hash }) => hash)
        .filter((hash) => hash !== ""),
    seen: (hash) => earlier().some((line) => line.hash === hash),
  };
}

/** The reference asks for the key alone, whatever its value. */
function hasHash({ hash }: Scheme, line: Line | undefined): boolean {
  if (line === undefined) return false;
  const { start, end } = stripped(line.bytes, 0, line.bytes.length);
  return scanRecord(line.bytes, start, end) === undefined && findMember(line.bytes, start, end, hash) !== undefined;
}

function linesOf(scheme: Scheme, file: string, bytes: Buffer): Line[] {
  const reader = new ChainReader(scheme);
  return split(scheme, bytes)
    .map((line, i) => ({ file, number: i + 1, bytes: line }))
    .filter((line) => scheme.lines === "javascript" || !isBlank(line.bytes, 0, line.bytes.length))
    .map((line) => {
      reader.read(line.bytes, 0, line.bytes.length);
      return { ...line, hash: reader.stored };
    });
}

function split(scheme: Scheme, bytes: Buffer): Buffer[] {
  // Latin-1 keeps bytes apart; the ends of lines are ASCII.
  if (scheme.lines === "python") {
    return bytes
      .toString("latin1")
      .split(/\r\n|\r|\n/)
      .map((line) => Buffer.from(line, "latin1"));
  }
  const text = bytes.toString("utf8");
  const [lead] = /^\s*/.exec(text)!;
  const [trail] = /\s*$/.exec(text)!;
  if (lead.length === text.length) return [];
  return bytes
    .subarray(Buffer.byteLength(lead), bytes.length - Buffer.byteLength(trail))
    .toString("latin1")
    .split("\n")
    .map((line) => Buffer.from(line, "latin1"));
}
