import { EntryTime, parseEpoch, parseTime, TimeKind } from "../../../agent/api/view-time.ts";

/**
 * The time the first entry of a file says, for ordering files whose modification times cannot tell. Only an estimate is needed: an
 * entry without a recognisable time is ordered by its file's name.
 */
const LOOK_BYTES = 16_384;
const MEMBER = /"(?:@?timestamp|time|ts|datetime|date)"\s*:\s*(?:"([^"]{10,40})"|(\d{9,16}(?:\.\d{1,9})?))/di;
const LEADING = /^\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)/d;

const parsed = new EntryTime();

/** Milliseconds since the epoch; a time without a zone is taken as UTC, which is enough to compare files of one writer. */
export function firstTime(line: Buffer): number | undefined {
  const text = line.toString("latin1", 0, Math.min(line.length, LOOK_BYTES));
  const found = MEMBER.exec(text) ?? LEADING.exec(text);
  if (!found) return undefined;
  if (found[2] !== undefined) parseEpoch(found[2], parsed);
  else {
    const [start, end] = found.indices![1]!;
    parseTime(line, start, end, parsed);
  }
  const { kind, ms, nanos } = parsed;
  // Files cut within one millisecond differ after it.
  return kind === TimeKind.exact || kind === TimeKind.noZone ? ms + nanos / 1e6 : undefined;
}
