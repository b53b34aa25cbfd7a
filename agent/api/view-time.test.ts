import { expect, test } from "vitest";
import { seeded } from "../../test/fakes/random.ts";
import { EntryTime, parseTime, TimeKind } from "./view-time.ts";

const TIME = new RegExp(
  [
    /^(?<date>\d{4}-\d\d-\d\d)(?<between>[Tt ])(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)/,
    /(?:(?<point>[.,])(?<fraction>\d+))?/,
    /(?<zone> ?(?:[Zz]|(?<sign>[+-])(?<zh>\d\d)(?::?(?<zm>\d\d))?))?$/,
  ]
    .map(({ source }) => source)
    .join(""),
);
const STRICT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(?:\.\d{1,9})?(?:Z|[+-](?:0\d|1[0-7]):\d\d)$/;

/** What the bytes of a time mean, the slow way. */
function model(text: string): object {
  const { date, hour, minute, second, fraction = "", zone, sign, zh = "0", zm = "0" } = TIME.exec(text)?.groups ?? {};
  const midnight = Date.parse(`${date}T00:00:00Z`);
  const invalid = { kind: TimeKind.invalid, strict: false };
  // `Date` takes the 30th of February for the 2nd of March.
  if (date === undefined || Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date))
    return invalid;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return invalid;
  if (Number(zh) > 23 || Number(zm) > 59) return invalid;
  const offset = (sign === "-" ? -1 : 1) * (Number(zh) * 60 + Number(zm)) || 0;
  const ofMinute = midnight + Number(hour) * 3_600_000 + (Number(minute) - offset) * 60_000;
  if (second === "60" && (ofMinute + 60_000) % 86_400_000 !== 0) return invalid;
  const nine = fraction.slice(0, 9).padEnd(9, "0");
  return {
    kind: zone === undefined ? TimeKind.noZone : TimeKind.exact,
    strict: STRICT.test(text),
    ms: ofMinute + Number(second) * 1000 + Number(nine.slice(0, 3)),
    nanos: Number(nine.slice(3)),
    offset,
  };
}

test("agrees with a regular expression on 30,000 mutated times, whatever minute was read before", () => {
  const random = seeded(20_260_201);
  const below = (n: number) => Math.floor(random() * n);
  const pick = (list: readonly string[]) => list[below(list.length)]!;
  const number = (limit: number, digits = 2) => String(below(limit)).padStart(digits, "0");
  const time = new EntryTime();
  let text = "2026-02-01T09:00:17Z";
  for (let i = 0; i < 30_000; i++) {
    const day = `${pick(["2026", "2024", "1900", "2000", "0000", "9999"])}-${number(14)}-${number(33)}`;
    const other = `${day}${pick(["T", "T", "t", " "])}${pick(["23:59", `${number(25)}:${number(61)}`])}:`;
    const fraction = pick([
      "",
      ".",
      ",5",
      `.${number(1000, 3)}`,
      `.${number(1_000_000, 6)}`,
      `.${"9".repeat(below(12))}`,
    ]);
    const offset = `${pick(["+", "-"])}${pick(["17", "18", number(25)])}${pick([":", ""])}${pick(["00", "59", number(61)])}`;
    // Most share the minute of the one before, as entries do.
    const minute = below(3) > 0 && text.length > 17 ? text.slice(0, 17) : other;
    text = `${minute}${pick(["60", number(62), number(62)])}${fraction}${pick(["", "Z", "Z", "z", " Z", "+01", offset, ` ${offset}`])}`;
    if (below(4) === 0) {
      const at = below(text.length);
      text = text.slice(0, at) + pick(["0", "9", ":", "-", "T", "Z", "\0", "\uff12", ""]) + text.slice(at + 1);
    }
    const bytes = Buffer.from(`"${text}"`);
    const kind = parseTime(bytes, 1, bytes.length - 1, time);
    const { strict, ms, nanos, offset: east } = time;
    const found = kind === TimeKind.invalid ? { kind, strict } : { kind, strict, ms, nanos, offset: east };
    expect({ text, ...found }).toEqual({ text, ...model(text) });
  }
});
