/** Dead letters on their way back into the queue. */
import { RecordBatch, type Source } from "../api/batch.ts";
import type { DeadLetter } from "../queue/dead-letters.ts";

type Sent = NonNullable<DeadLetter["sent"]>;

/** What a letter keeps of a record beside its bytes. */
export function sentWith(batch: RecordBatch, at: number): Sent {
  const { source, readTime, kind, altered } = batch;
  const { id, input, group, facility, severity } = source;
  return {
    source: { id, input, group, ...(facility ? { facility } : {}), ...(severity ? { severity } : {}) },
    readTime,
    kind,
    altered,
    flags: batch.flags?.[at] ?? 0,
    cut: batch.cuts?.get(at),
    additions: batch.additions.map(({ path, json }) => [path, json.toString()] as const),
  };
}

/** So many bytes of records go into one batch. */
const BATCH_BYTES = 1024 * 1024;

/** The records as they were sent, under the same ids, each for its output alone; those that were one batch are one again. */
export function* batchesOf(letters: readonly DeadLetter[]): Generator<RecordBatch> {
  const groups = new Map<string, DeadLetter[]>();
  for (const letter of letters) {
    const { flags: _, cut: __, ...shared } = sentOf(letter);
    const key = JSON.stringify([letter.output, letter.tag, letter.path, shared]);
    const group = groups.get(key);
    if (group) group.push(letter);
    else groups.set(key, [letter]);
  }
  for (const group of groups.values()) {
    let from = 0;
    let bytes = 0;
    for (const [i, { original }] of group.entries()) {
      if (bytes > 0 && bytes + original.length > BATCH_BYTES) {
        yield batchOf(group.slice(from, i));
        from = i;
        bytes = 0;
      }
      bytes += original.length;
    }
    yield batchOf(group.slice(from));
  }
}

/** Of letters that differ in nothing but the record itself. */
function batchOf(letters: readonly DeadLetter[]): RecordBatch {
  const { tag, output, path } = letters[0]!;
  const sent = letters.map(sentOf);
  const { source, readTime, kind, altered, additions } = sent[0]!;
  const count = letters.length;
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let end = 0;
  for (const [i, { original }] of letters.entries()) {
    starts[i] = i === 0 ? 0 : end + 1;
    end = starts[i]! + original.length;
    ends[i] = end;
  }
  const buffer = Buffer.alloc(end, "\n");
  for (const [i, { original }] of letters.entries()) original.copy(buffer, starts[i]);
  const cuts = new Map(sent.flatMap(({ cut }, i) => (cut ? [[i, cut] as const] : [])));
  return new RecordBatch({
    buffer,
    starts,
    ends,
    offsets: Float64Array.from(letters, ({ offset }) => offset),
    count,
    tag,
    only: output,
    source: { ...source, ...(path === undefined ? {} : { path }) },
    readTime,
    kind,
    altered,
    flags: sent.some(({ flags }) => flags !== 0) ? Uint8Array.from(sent, ({ flags }) => flags) : undefined,
    cuts: cuts.size > 0 ? cuts : undefined,
    additions: additions.map(([at, json]) => ({ path: at, json: Buffer.from(json) })),
  });
}

/** A letter of an earlier version says no more than its id: what filters had added is not known, and is left out. */
function sentOf({ id, offset, time, sent }: DeadLetter): Sent {
  if (sent !== undefined) return sent;
  const end = id.indexOf(`-${offset}`, 1);
  const source: Source = { id: end < 0 ? id : id.slice(0, end), input: "dead_letters", group: "" };
  const kind = end < 0 ? "" : id.slice(end + `-${offset}-`.length);
  return { source, readTime: time, kind, altered: false, flags: 0, cut: undefined, additions: [] };
}
