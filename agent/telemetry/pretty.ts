/** The log on a terminal: time, who, what. Colour says how serious it is; calm lines have none. */
const COLOURS = {
  dim: "\u001b[2m",
  bold: "\u001b[1m",
  red: "\u001b[31m",
  yellow: "\u001b[33m",
  off: "\u001b[0m",
} as const;
const NAME_WIDTH = 14;
const MAX_MESSAGE = 2000;

export interface PrettyLine {
  readonly level: string;
  /** ISO 8601. */
  readonly time: string;
  readonly component: string;
  readonly msg: string;
}

/** One line with its newline. What a server or a file name brought along cannot move the cursor or set the terminal's title. */
export function pretty(line: PrettyLine, colours: boolean): string {
  const paint = (colour: keyof typeof COLOURS, text: string) =>
    colours ? `${COLOURS[colour]}${text}${COLOURS.off}` : text;
  const time = paint("dim", localTime(line.time));
  const name = clean(line.component).padEnd(NAME_WIDTH);
  const message = clean(line.msg);
  if (line.level === "error") return `${time} ${paint("bold", name)} ${paint("red", `error: ${message}`)}\n`;
  if (line.level === "warn") return `${time} ${paint("bold", name)} ${paint("yellow", message)}\n`;
  if (line.level === "debug") return `${time} ${paint("dim", `${name} ${message}`)}\n`;
  return `${time} ${paint("bold", name)} ${message}\n`;
}

function localTime(iso: string): string {
  const time = new Date(iso);
  const two = (n: number) => String(n).padStart(2, "0");
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
}

/** Control characters (C0, DEL, C1), line separators and direction marks become visible escapes; a long message is cut. */
function clean(text: string): string {
  const cut = text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
  return cut.replace(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
