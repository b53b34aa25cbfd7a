/**
 * Names made from a time: `audit-logs-%Y.%m.%d`. UTC unless a zone's clock is given, so that a name is the same on every host.
 * The conversions are those of C's strftime that make sense in a name; an unknown one is an error, never passed through.
 */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

interface Conversion {
  /** The conversion's text is the same for all times of one such period, in milliseconds. */
  readonly period: number;
  /** `date`: its UTC fields show the wanted clock. `ms`: the time itself. */
  format(date: Date, ms: number): string;
}

const two = (n: number) => String(n).padStart(2, "0");

const CONVERSIONS: Readonly<Record<string, Conversion>> = {
  Y: { period: DAY, format: (d) => String(d.getUTCFullYear()).padStart(4, "0") },
  y: { period: DAY, format: (d) => two(d.getUTCFullYear() % 100) },
  m: { period: DAY, format: (d) => two(d.getUTCMonth() + 1) },
  d: { period: DAY, format: (d) => two(d.getUTCDate()) },
  j: { period: DAY, format: (d) => String(dayOfYear(d)).padStart(3, "0") },
  F: { period: DAY, format: (d) => d.toISOString().slice(0, 10) },
  G: { period: DAY, format: (d) => String(isoWeek(d).year).padStart(4, "0") },
  V: { period: DAY, format: (d) => two(isoWeek(d).week) },
  H: { period: HOUR, format: (d) => two(d.getUTCHours()) },
  M: { period: MINUTE, format: (d) => two(d.getUTCMinutes()) },
  S: { period: SECOND, format: (d) => two(d.getUTCSeconds()) },
  s: { period: SECOND, format: (_, ms) => String(Math.floor(ms / SECOND)) },
};

export interface TimeTemplate {
  /** The name for a time in milliseconds since the epoch. Remembers the last period, so asking for every record is cheap. */
  format(ms: number): string;
  /** Milliseconds during which the name stays the same; Infinity for a template without conversions. */
  readonly period: number;
}

/** Compiles a template; throws a sentence where a conversion is unknown. `clock`: of a zone (`zonedClock`); by default UTC. */
export function timeTemplate(text: string, clock: (ms: number) => number = (ms) => ms): TimeTemplate {
  const problem = timeTemplateProblem(text);
  if (problem !== undefined) throw new Error(problem);
  const literals = text.split(/%(.)/s);
  const parts: (string | Conversion)[] = literals.map((part, i) =>
    i % 2 === 0 ? part : part === "%" ? "%" : CONVERSIONS[part]!,
  );
  const period = parts.reduce((p, part) => (typeof part === "string" ? p : Math.min(p, part.period)), Infinity);

  const make = (shown: number, ms: number) => {
    const date = new Date(shown);
    return parts.map((part) => (typeof part === "string" ? part : part.format(date, ms))).join("");
  };
  if (period === Infinity) {
    const name = make(0, 0);
    return { period, format: () => name };
  }
  let from = Number.NaN;
  let offset = Number.NaN;
  let name = "";
  return {
    period,
    format(ms) {
      const shown = clock(ms);
      // A clock that is set back shows the same twice, and `%s` differs.
      if (!(shown >= from && shown < from + period && shown - ms === offset)) {
        from = Math.floor(shown / period) * period;
        offset = shown - ms;
        name = make(shown, ms);
      }
      return name;
    },
  };
}

/** What is wrong with a template, as a sentence; undefined where nothing is. For a plugin's `check`. */
export function timeTemplateProblem(text: string): string | undefined {
  for (const [found, letter] of text.matchAll(/%(.?)/gs)) {
    if (letter === "%" || Object.hasOwn(CONVERSIONS, letter!)) continue;
    const known = Object.keys(CONVERSIONS).map((c) => `%${c}`);
    return letter === ""
      ? "ends in a single %; write %% for the character itself"
      : `${found} is unknown here; known are ${known.join(" ")} and %%`;
  }
  return undefined;
}

function dayOfYear(d: Date): number {
  return (
    Math.round((Date.UTC(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate()) - yearStart(d.getUTCFullYear())) / DAY) +
    1
  );
}

/** Week of ISO 8601: weeks start on Monday, and week 1 holds the year's first Thursday. */
function isoWeek(d: Date): { year: number; week: number } {
  const thursday = new Date(d.getTime());
  thursday.setUTCDate(d.getUTCDate() + 3 - ((d.getUTCDay() + 6) % 7));
  const year = thursday.getUTCFullYear();
  return { year, week: Math.floor((dayOfYear(thursday) - 1) / 7) + 1 };
}

/** Unlike `Date.UTC`, which takes years below 100 for 19xx. */
function yearStart(year: number): number {
  return new Date(0).setUTCFullYear(year, 0, 1);
}
