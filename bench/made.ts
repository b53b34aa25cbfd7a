/** Inputs of a given shape, for what `corpus.ts` has no shape for: entries of one size, and a file cut into many. */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededIntegers } from "../test/fakes/random.ts";
import { dashboardMembers, printed } from "./entries/mixed.ts";
import { add, type Tally } from "./tally.ts";

export interface Made {
  /** Path or glob. */
  readonly path: string;
  readonly entries: number;
  readonly bytes: number;
  readonly all: Tally;
}

/** A chunk is kept and repeated: what is different in it is enough for the agent, which compares nothing. */
const CHUNK = 1 << 20;
const NEWLINE = 10;
const TEXT = 'The quick \\"brown\\" fox, again. ';

/** Entries of `size` bytes each, newline included, `bytes` of them in all. */
export async function sized(folder: string, size: number, bytes: number): Promise<Made> {
  const path = join(folder, `sized-${size}.jsonl`);
  const next = seededIntegers(size);
  const lines = Array.from(
    { length: Math.max(8, Math.floor(CHUNK / size)) },
    (_, i) => `${entry(size - 1, i, next)}\n`,
  );
  const chunk = Buffer.from(lines.join(""));
  const repeats = Math.ceil(bytes / chunk.length);
  await mkdir(folder, { recursive: true });
  await writeFile(path, repeated(chunk, repeats));
  const all: Tally = { entries: 0, checksum: 0 };
  for (let i = 0; i < repeats * lines.length; i++) add(all, i * size);
  return { path, entries: all.entries, bytes: repeats * chunk.length, all };
}

function* repeated(chunk: Buffer, times: number): Iterable<Buffer> {
  for (let i = 0; i < times; i++) yield chunk;
}

/** A dashboard's entry where it fits, with a text that fills it up. */
function entry(length: number, i: number, next: () => number): string {
  const members = dashboardMembers(i, next).filter(([key]) => key !== "level" && key !== "details");
  const all = [
    ["timestamp", `"2026-02-01T09:00:17.${String(i % 1000).padStart(3, "0")}Z"`],
    ["level", '"info"'],
    ["event", '"session.start"'],
  ] as const;
  const whole = printed([...all, ...members.slice(1), ["text", '""']]);
  const shell = Buffer.byteLength(whole) <= length ? whole : printed([...all, ["text", '""']]);
  const room = length - Buffer.byteLength(shell);
  const text = TEXT.repeat(Math.ceil(room / TEXT.length)).slice(0, room);
  // The cut may fall into an escape.
  return `${shell.slice(0, -2)}${text.endsWith("\\") ? `${text.slice(0, -1)}.` : text}"}`;
}

/** The lines of `path`, in order, in so many files of about the same size. */
export async function split(path: string, folder: string, files: number): Promise<Made> {
  await mkdir(folder, { recursive: true });
  const content = await readFile(path);
  const all: Tally = { entries: 0, checksum: 0 };
  let from = 0;
  for (let i = 1; i <= files; i++) {
    const to = content.indexOf(NEWLINE, Math.ceil((content.length / files) * i) - 1) + 1;
    for (let at = from; at < to; at = content.indexOf(NEWLINE, at) + 1) add(all, at - from);
    await writeFile(join(folder, `audit-${String(i).padStart(5, "0")}.jsonl`), content.subarray(from, to));
    from = to;
  }
  return { path: join(folder, "*.jsonl"), entries: all.entries, bytes: from, all };
}
