/**
 * Elasticsearch makes objects of the dots in names: `{"a.b":1}` is `{"a":{"b":1}}`. It takes 1,000 levels of braces and any number of dots,
 * and walks them by recursion: a name of some 6,000 levels (of 100,000 where `subobjects` is off) ends the node (seen with 9.5.3), then
 * the node that is asked next, and each of them again whenever the entry is sent. Such an entry must travel as text.
 */

import { skipString, viewOf } from "../../agent/json/lexer.ts";

/** As deep as Elasticsearch lets braces be. */
export const MAX_LEVELS = 1_000;

const DOT = 0x2e;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** How an escaped dot begins, and little else. */
const ESCAPED = Buffer.from("\\u002");

/** Why a JSON object cannot be sent as one; undefined where it can. */
export function tooManyLevels(buffer: Buffer, start: number, end: number): string | undefined {
  // Each level takes two bytes at least: for nearly every entry that is all there is to ask.
  if (end - start <= 2 * MAX_LEVELS) return undefined;
  const bytes = buffer.subarray(start, end);
  if (!hasManyDots(bytes) || levelsOf(bytes) <= MAX_LEVELS) return undefined;
  return `names of more than ${MAX_LEVELS} levels, which would end the server`;
}

/** Dots anywhere, also written `\\u002e`. Four bytes at once: a text may have one in every sentence, and a native search for each costs more. */
function hasManyDots(bytes: Buffer): boolean {
  const view = viewOf(bytes);
  const last = (bytes.length - 4) | 0;
  let many = 0;
  let at = 0;
  for (; at <= last; at = (at + 4) | 0) {
    const others = view.getInt32(at, true) ^ 0x2e2e2e2e;
    // The high bit of each byte that is a dot; a borrow may add one to it, never take one away.
    const hits = (others - 0x01010101) & ~others & -0x7f7f7f80;
    if (hits !== 0) many = (many + (Math.imul(hits >>> 7, 0x01010101) >>> 24)) | 0;
  }
  for (; at < bytes.length; at++) if (bytes[at] === DOT) many++;
  for (at = bytes.indexOf(ESCAPED); many < MAX_LEVELS && at >= 0; at = bytes.indexOf(ESCAPED, at + 1)) many++;
  return many >= MAX_LEVELS;
}

/** The most levels that any path in valid JSON has: one for each name and each dot in it. */
function levelsOf(bytes: Buffer): number {
  /** Levels outside of each open container; negative for an array, whose members add none. */
  const open: { readonly levels: number; readonly object: boolean }[] = [];
  const view = viewOf(bytes);
  let levels = 0;
  let name = 0;
  let most = 0;
  let isName = false;
  for (let at = 0; at < bytes.length; at++) {
    switch (bytes[at]) {
      case QUOTE: {
        const from = at + 1;
        // To the closing quote.
        at = skipString(bytes, view, at, bytes.length) - 1;
        if (!isName) break;
        isName = false;
        name = 1 + dotsIn(bytes, from, at);
        most = Math.max(most, levels + name);
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        isName = bytes[at] === 0x7b;
        open.push({ levels, object: isName });
        levels += name;
        name = 0;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        levels = open.pop()?.levels ?? 0;
        isName = false;
        break;
      case 0x2c: // ,
        isName = open.at(-1)?.object === true;
        name = 0;
        break;
    }
  }
  return most;
}

function dotsIn(bytes: Buffer, from: number, to: number): number {
  let dots = 0;
  for (let at = from; at < to; at++) {
    if (bytes[at] === DOT) dots++;
    else if (bytes[at] === BACKSLASH) {
      at++;
      if (bytes[at] === 0x75 && bytes.toString("latin1", at + 1, at + 5).toLowerCase() === "002e") dots++;
    }
  }
  return dots;
}
