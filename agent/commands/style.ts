/** Colours, and what keeps other people's text from being anything but text. */

/** Whatever could move a cursor, hide itself or turn text round is written as an escape. */
export function printable(text: string): string {
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => {
    const point = c.codePointAt(0)!;
    return point < 0x100 ? `\\x${point.toString(16).padStart(2, "0")}` : `\\u{${point.toString(16)}}`;
  });
}

export type Style = Readonly<
  Record<"red" | "green" | "yellow" | "cyan" | "bold" | "dim" | "inverse", (text: string) => string>
>;

export function styles(colours: boolean): Style {
  const style = (code: number) => (text: string) => (colours ? `\x1b[${code}m${text}\x1b[0m` : text);
  return {
    red: style(31),
    green: style(32),
    yellow: style(33),
    cyan: style(36),
    bold: style(1),
    dim: style(2),
    inverse: style(7),
  };
}
