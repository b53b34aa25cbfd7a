/**
 * The manifest, in the format of GNU sha256sum. A line is `HASH  NAME`, or `HASH *NAME` (binary mode, no difference here). Where the name has
 * a backslash, a line feed or a carriage return, the line begins with a backslash and the name has `\\`, `\n`, `\r` for them. Blank lines and
 * lines that begin with `#` mean nothing. `SHA256 (NAME) = HASH` (--tag) is read as well.
 *
 * Beside it lies a file with the size each line is about, `SIZE LINE`: one in the manifest itself would be no line of sha256sum's, and the one
 * of BusyBox fails at comments. Nothing trusts the sizes: a wrong one finds no beginning with the right hash.
 */
import type { ByteName } from "./names.ts";

export const MANIFEST = ".checksums";
export const SIZES = ".checksums.sizes";

export interface ManifestLine {
  /** As written, unescaped. */
  readonly name: ByteName;
  /** 64 lower-case hexadecimal digits. */
  readonly hash: string;
  /** From 1. */
  readonly line: number;
}

/** The manifest cannot be understood; the message names the line. */
export class ManifestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ManifestError";
  }
}

const PLAIN = /^[ \t]*(\\?)([0-9a-fA-F]{64}) [ *](.+)$/s;
const TAGGED = /^[ \t]*(\\?)SHA256 \((.+)\) = ([0-9a-fA-F]{64})$/s;

/** `text`: the bytes as latin1. */
export function parseManifest(text: string): ManifestLine[] {
  const lines: ManifestLine[] = [];
  let number = 0;
  for (const raw of linesOf(text)) {
    number++;
    const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
    if (line === "" || line.startsWith("#")) continue;
    const parsed = parseLine(line);
    if (parsed === undefined) throw new ManifestError(`line ${number} is no line of sha256sum's`);
    lines.push({ ...parsed, line: number });
  }
  return lines;
}

export function parseLine(line: string): { name: ByteName; hash: string } | undefined {
  const plain = PLAIN.exec(line);
  const [, escaped, hash, written] = plain ?? reordered(TAGGED.exec(line)) ?? [];
  if (hash === undefined || written === undefined) return undefined;
  const name = escaped === "\\" ? unescaped(written) : written;
  return name === undefined || name.includes("\0") ? undefined : { name, hash: hash.toLowerCase() };
}

function reordered(match: RegExpExecArray | null): string[] | undefined {
  return match === null ? undefined : [match[0], match[1]!, match[3]!, match[2]!];
}

function unescaped(written: string): ByteName | undefined {
  if (/\\(?![\\nr])/.test(written.replaceAll("\\\\", ""))) return undefined;
  return written.replace(/\\([\\nr])/g, (_, c: string) => (c === "n" ? "\n" : c === "r" ? "\r" : "\\"));
}

/** Without its line feed. */
export function formatLine(name: ByteName, hash: string): string {
  if (!/[\\\n\r]/.test(name)) return `${hash}  ${name}`;
  const written = name.replace(/[\\\n\r]/g, (c) => (c === "\n" ? "\\n" : c === "\r" ? "\\r" : "\\\\"));
  return `\\${hash}  ${written}`;
}

/** Sizes by `hash name`, for `sizeKey`. What cannot be read is left out. */
export function parseSizes(text: string): Map<string, number[]> {
  const sizes = new Map<string, number[]>();
  for (const raw of linesOf(text)) {
    const [, digits, rest] = /^([0-9]{1,16}) (.*)$/s.exec(raw) ?? [];
    const line = rest === undefined ? undefined : parseLine(rest);
    if (line === undefined) continue;
    const size = Number(digits);
    const key = sizeKey(line.name, line.hash);
    const known = sizes.get(key);
    if (known === undefined) sizes.set(key, [size]);
    else if (!known.includes(size) && known.length < MAX_SIZES) known.push(size);
  }
  return sizes;
}

/** The same line twice with other sizes can only be somebody's joke. */
const MAX_SIZES = 4;

export function sizeKey(name: ByteName, hash: string): string {
  return `${hash} ${name}`;
}

function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf("\n", from);
    yield text.slice(from, end < 0 ? text.length : end);
    if (end < 0) return;
    from = end + 1;
  }
}
