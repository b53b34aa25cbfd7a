/**
 * The time the first entry of a file says, for ordering files whose modification times cannot tell. Only an estimate is needed: an
 * entry without a recognisable time is ordered by its file's name.
 */
const LOOK_BYTES = 16_384;
const MEMBER = /"(?:@?timestamp|time|ts|datetime|date)"\s*:\s*(?:"([^"]{10,40})"|(\d{9,16}(?:\.\d{1,9})?))/i;
const LEADING = /^\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)/;

/** Milliseconds since the epoch; a time without a zone is taken as UTC, which is enough to compare files of one writer. */
export function firstTime(line: Buffer): number | undefined {
  const text = line.toString("latin1", 0, Math.min(line.length, LOOK_BYTES));
  const member = MEMBER.exec(text);
  if (member?.[2] !== undefined) return fromNumber(Number(member[2]));
  const found = member?.[1] ?? LEADING.exec(text)?.[1];
  return found === undefined ? undefined : fromText(found);
}

function fromText(text: string): number | undefined {
  const iso = text.replace(" ", "T").replace(",", ".");
  const ms = Date.parse(/(?:Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`);
  if (Number.isNaN(ms)) return undefined;
  // Date.parse stops at milliseconds; files cut within one millisecond differ after it.
  const fraction = /\.\d{3}(\d{1,6})/.exec(iso)?.[1];
  return fraction === undefined ? ms : ms + Number(`0.${fraction}`);
}

/** Seconds, milliseconds or microseconds, told apart by their size. */
function fromNumber(value: number): number {
  if (value < 1e11) return value * 1000;
  return value < 1e14 ? value : value / 1000;
}
