/** A file's lines as the two reference verifiers see them, read piece by piece. */
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";

export interface Line {
  /** Without what ends it. */
  readonly bytes: Buffer;
  /** From 1, as an editor counts, whatever was trimmed. */
  readonly number: number;
}

/** Nobody writes a longer line; it counts as one that is no JSON. */
const MAX_LINE = 256 * 1024 * 1024;
const TOO_LONG = Buffer.from("too long");
const NOTHING = Buffer.alloc(0);
const PIECE = 256 * 1024;
const LF = 0x0a;
const CR = 0x0d;

/** There is something, and it is no file. */
export class NotAFileError extends Error {
  constructor(path: string) {
    super(`${path} is not a file`);
    this.name = "NotAFileError";
  }
}

/** Undefined where there is nothing. Follows links, as the references do; opens regular files only, so that no pipe holds it up. */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    if (!(await stat(path)).isFile()) throw new NotAFileError(path);
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await file.stat()).isFile()) return file;
    await file.close();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
  throw new NotAFileError(path);
}

export async function* piecesOf(file: FileHandle): AsyncGenerator<Buffer> {
  const piece = Buffer.allocUnsafe(PIECE);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(piece, 0, PIECE, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

/** Lines as Python's text mode has them: a line feed, a carriage return, or both together end one. */
export async function* pythonLines(file: FileHandle): AsyncGenerator<Line> {
  yield* linesOf(file, true);
}

async function* linesOf(file: FileHandle, returns: boolean): AsyncGenerator<Line> {
  let number = 1;
  let held: Buffer[] = [];
  let length = 0;
  let afterReturn = false;
  for await (const piece of piecesOf(file)) {
    let from = afterReturn && piece[0] === LF ? 1 : 0;
    afterReturn = false;
    // Each looked for once: a piece of nothing but the other kind must not be searched again at every line.
    let feed = piece.indexOf(LF, from);
    let back = returns ? piece.indexOf(CR, from) : -1;
    while (feed >= 0 || back >= 0) {
      const end = feed < 0 ? back : back < 0 ? feed : Math.min(feed, back);
      yield { bytes: joined(held, length, piece.subarray(from, end)), number: number++ };
      held = [];
      length = 0;
      from = end + 1;
      if (end === back) {
        if (from === piece.length) afterReturn = true;
        else if (from === feed) from++;
        back = piece.indexOf(CR, from);
      }
      if (feed >= 0 && feed < from) feed = piece.indexOf(LF, from);
    }
    length += piece.length - from;
    // A copy: the piece is used again.
    if (length <= MAX_LINE) held.push(Buffer.from(piece.subarray(from)));
    else held = [];
  }
  if (length > 0) yield { bytes: joined(held, length, NOTHING), number };
}

function joined(held: readonly Buffer[], length: number, last: Buffer): Buffer {
  return length + last.length > MAX_LINE ? TOO_LONG : Buffer.concat([...held, last]);
}

/**
 * Lines as JavaScript's `trim().split("\n")` has them: white space before the first and behind the last line that has anything else is no
 * line, and is taken from those two; in between a blank line is a line.
 */
export async function* javascriptLines(file: FileHandle): AsyncGenerator<Line> {
  let held: Line | undefined;
  for await (const line of linesOf(file, false)) {
    if (isBlank(line.bytes)) continue;
    if (held === undefined) {
      held = { bytes: Buffer.from(line.bytes.toString("utf8").trimStart()), number: line.number };
      continue;
    }
    yield held;
    for (let number = held.number + 1; number < line.number; number++) yield { bytes: NOTHING, number };
    held = line;
  }
  if (held !== undefined) yield { bytes: Buffer.from(held.bytes.toString("utf8").trimEnd()), number: held.number };
}

function isBlank(bytes: Buffer): boolean {
  const first = bytes[0];
  if (first !== undefined && first > 0x20 && first < 0x7f) return false;
  return bytes.toString("utf8").trim() === "";
}
