/** Lines around a place, found again by reading: asked for only where something is wrong. */
import { isBlank } from "../space.ts";
import { behind, LineEnds, type LineMode } from "./lines.ts";
import type { Text } from "./text.ts";

/** A line without its end, by its position in the text. */
export interface Line {
  readonly offset: number;
  readonly bytes: Buffer;
}

/** Where the text that counts begins and ends. */
export interface Bounded {
  readonly text: Text;
  readonly start: number;
  readonly end: number;
}

const WINDOW = 64 * 1024;
/** More than this is not read for the sake of what stands around one line. */
const WIDEST = 8 * 1024 * 1024;

/** The lines before the one that begins at `offset`, the nearest first. */
export function linesBefore(file: Bounded, offset: number, count: number, mode: LineMode): Line[] {
  const lowest = Math.max(file.start, file.text.lowest);
  for (let width = WINDOW; ; width *= 4) {
    const from = Math.max(lowest, offset - width);
    const lines = split(file.text.read(from, offset), from, mode, false);
    // What comes first may be the rest of a line.
    if (from > file.start) lines.shift();
    if (lines.length >= count || from === lowest || width >= WIDEST) return lines.reverse().slice(0, count);
  }
}

/** The lines behind the one that ends at `end`, the nearest first. */
export function linesAfter(file: Bounded, end: number, count: number, mode: LineMode): Line[] {
  for (let width = WINDOW; ; width *= 4) {
    const to = Math.min(file.end, end + width);
    const bytes = file.text.read(end, to);
    const first = bytes.length > 0 && new LineEnds(bytes, mode, 0).after(0) === 0 ? behind(bytes, 0) : 0;
    const lines = split(bytes.subarray(first), end + first, mode, to < file.end);
    if (lines.length >= count || to === file.end || width >= WIDEST) return lines.slice(0, count);
  }
}

/** The line at which `at` stands; undefined where it is too long. */
export function lineAt(file: Bounded, at: number, mode: LineMode): Line | undefined {
  for (let width = WINDOW; ; width *= 4) {
    const from = Math.max(file.start, file.text.lowest, at - width);
    const to = Math.min(file.end, at + width);
    for (const line of split(file.text.read(from, to), from, mode, false)) {
      if (at >= line.offset + line.bytes.length) continue;
      const whole =
        (line.offset > from || from === file.start) && (line.offset + line.bytes.length < to || to === file.end);
      if (whole) return line;
      break;
    }
    if (width >= WIDEST) return undefined;
  }
}

/** The first line that is not blank; undefined where there is none, or it is longer than `maxLine`. */
export function firstLine(file: Bounded, mode: LineMode, maxLine: number): Line | undefined {
  let from = file.start;
  let width = WINDOW;
  while (from < file.end) {
    const to = Math.min(file.end, from + width);
    const bytes = file.text.read(from, to);
    const lines = split(bytes, from, mode, to < file.end);
    const found = lines.find((line) => !isBlank(line.bytes, 0, line.bytes.length));
    if (found !== undefined) return found.bytes.length > maxLine ? undefined : found;
    const last = lines.at(-1);
    if (last !== undefined) from = last.offset + last.bytes.length + 1;
    else if (width > maxLine) return undefined;
    else width *= 4;
    if (to === file.end && lines.length > 0) return undefined;
  }
  return undefined;
}

/** `open`: the text goes on, so that what no line end follows is left out. */
function split(bytes: Buffer, base: number, mode: LineMode, open: boolean): Line[] {
  const ends = new LineEnds(bytes, mode, 0);
  const lines: Line[] = [];
  for (let p = 0; p < bytes.length; ) {
    const end = ends.after(p);
    if (end < 0 && open) break;
    lines.push({ offset: base + p, bytes: bytes.subarray(p, end < 0 ? bytes.length : end) });
    if (end < 0) break;
    p = behind(bytes, end);
  }
  return lines;
}
