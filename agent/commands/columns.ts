/** Text in columns of a terminal. */
import { printable } from "./style.ts";

/** Characters that take two columns (Unicode UAX 11: wide and fullwidth), roughly. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u;
const MARK = /\p{Mn}|\p{Me}/u;

export function widthOf(text: string): number {
  let width = 0;
  for (const c of text) width += MARK.test(c) ? 0 : WIDE.test(c) ? 2 : 1;
  return width;
}

/** At most so many columns, whatever it holds: what is cut ends with `…`. Nothing in it can move the cursor. */
export function cut(text: string, columns: number): string {
  const safe = printable(text);
  if (widthOf(safe) <= columns) return safe;
  if (columns <= 0) return "";
  let kept = "";
  let width = 0;
  for (const c of safe) {
    width += widthOf(c);
    if (width > columns - 1) break;
    kept += c;
  }
  return `${kept}…`;
}

/** Exactly so many columns. */
export function pad(text: string, columns: number, side: "left" | "right" = "left"): string {
  const short = cut(text, columns);
  const space = " ".repeat(Math.max(0, columns - widthOf(short)));
  return side === "left" ? short + space : space + short;
}

const BARS = "▁▂▃▄▅▆▇█";

/** The last values as bars, each in relation to the highest of them; nothing is a blank, and what is more than nothing at least the lowest bar. */
export function sparkline(values: readonly number[], columns: number): string {
  const shown = values.slice(-columns);
  const most = Math.max(0, ...shown);
  const bars = shown.map((value) =>
    value <= 0 || most === 0 ? " " : BARS[Math.min(BARS.length - 1, Math.floor((value / most) * BARS.length))]!,
  );
  return bars.join("").padStart(columns);
}
