/** Entries of other sizes and shapes than the usual ones. */
import { type EntrySource, levelAt, passes, pick, timeAt } from "./entry.ts";

const EVENTS = ["file.read", "file.write", "auth.ok", "api.request", "task.end"];
const ACTORS = ["ann", "bo", "ci", "root"];

/** What every entry here begins with: open, for more members. */
function head(i: number, next: () => number): { text: string; kept: boolean } {
  const level = levelAt(next());
  const event = pick(EVENTS, next());
  const text = `{"timestamp":"${timeAt(i)}","level":"${level}","event":"${event}","actor":"${pick(ACTORS, next())}"`;
  return { text, kept: passes(level, event) };
}

/** About 120 bytes: what an entry costs that hardly has any. */
export const small: EntrySource = {
  kind: "small",
  entries: 2_000_000,
  from: (next) => (i) => {
    const { text, kept } = head(i, next);
    return { line: `${text},"n":${100_000 + (next() % 900_000)},"ok":true,"c":7}`, kept };
  },
};

const LARGE_BYTES = 8_192;
const WORDS = [
  "policy",
  "denied",
  'a \\"quoted\\" name',
  "/srv/data/été",
  "line\\nbreak",
  "0x7f",
  "the quick brown fox",
];

/** 8 KiB, nearly all of it one text, as of a request's body or a diff. */
export const large: EntrySource = {
  kind: "large",
  entries: 200_000,
  from: (next) => (i) => {
    const { text, kept } = head(i, next);
    let body = "";
    for (let bytes = text.length + 60; bytes < LARGE_BYTES; ) {
      const word = `${pick(WORDS, next())} `;
      body += word;
      bytes += Buffer.byteLength(word);
    }
    return { line: `${text},"details":{"n":${next() % 100_000},"body":"${body}"}}`, kept };
  },
};

const LEVELS = 40;

/** Forty levels of objects and lists, each with a few small members: about 1.6 KiB, half of it punctuation. */
export const nested: EntrySource = {
  kind: "nested",
  entries: 500_000,
  from: (next) => (i) => {
    const { text, kept } = head(i, next);
    let inside = "null";
    for (let depth = 0; depth < LEVELS; depth++) {
      const random = next();
      const members = `"k${random % 97}":${random % 1000},"s":"v${random % 31}","b":${random % 2 === 0}`;
      inside = depth % 4 === 3 ? `[${random % 10},{${members},"in":${inside}}]` : `{${members},"in":${inside}}`;
    }
    return { line: `${text},"details":${inside}}`, kept };
  },
};
