/** A terminal as a whole: drawn line by line, given back as it was whatever ends the process. The only place that knows escape sequences. */
import { writeSync } from "node:fs";
import type { ReadStream, WriteStream } from "node:tty";

export type Key = "up" | "down" | "enter" | "escape" | (string & {});

export interface Screen {
  size(): { readonly columns: number; readonly rows: number };
  /** Letters as they are, `up`, `down`, `enter`, `escape`; Ctrl-C is `q`. */
  onKey(listener: (key: Key) => void): void;
  onResize(listener: () => void): void;
  /** Lines from the top, each no wider than the screen; what is below is empty. */
  draw(lines: readonly string[]): void;
  /** May be called more than once. */
  close(): void;
}

// Alternate screen, no cursor, no wrapping of what is too long; and back.
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J";
const LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/** A terminal that knows it shows all of a frame at once; others ignore it. */
const [BEGIN, END] = ["\x1b[?2026h", "\x1b[?2026l"];
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const KEYS: Readonly<Record<string, Key>> = {
  "\x1b[A": "up",
  "\x1bOA": "up",
  k: "up",
  "\x1b[B": "down",
  "\x1bOB": "down",
  j: "down",
  "\r": "enter",
  "\n": "enter",
  "\x1b": "escape",
  "\x03": "q",
};

export function openScreen(input: ReadStream, output: WriteStream & { readonly fd: number }): Screen {
  let drawn: readonly string[] = [];
  let open = true;
  const onKey: ((key: Key) => void)[] = [];
  const onResize: (() => void)[] = [];
  const press = (text: string) => {
    for (const key of keysIn(text)) for (const listener of onKey) listener(key);
  };
  const resized = () => {
    drawn = [];
    output.write("\x1b[2J");
    for (const listener of onResize) listener();
  };
  const leave = () => {
    if (!open) return;
    open = false;
    try {
      // At once: the process may be ending.
      writeSync(output.fd, LEAVE);
    } catch {
      // Its terminal has gone.
    }
    if (!input.destroyed) input.setRawMode(false);
  };
  const killed = (signal: NodeJS.Signals) => {
    leave();
    process.kill(process.pid, signal);
  };
  const close = () => {
    leave();
    process.off("exit", leave);
    for (const signal of ENDING) process.off(signal, killed);
    output.off("resize", resized);
    input.off("data", press);
    input.pause();
  };
  process.on("exit", leave);
  for (const signal of ENDING) process.once(signal, killed);
  input.setRawMode(true);
  input.setEncoding("utf8").on("data", press).resume();
  output.on("resize", resized);
  output.write(ENTER);
  return {
    size: () => ({ columns: output.columns || 80, rows: output.rows || 24 }),
    onKey: (listener) => void onKey.push(listener),
    onResize: (listener) => void onResize.push(listener),
    draw(lines) {
      if (!open) return;
      const changes = changed(drawn, lines);
      drawn = lines;
      if (changes !== "") output.write(BEGIN + changes + END);
    },
    close,
  };
}

/** Several keys may come at once; those that are longer than one character begin with an escape. */
export function keysIn(text: string): Key[] {
  const keys: Key[] = [];
  for (let at = 0; at < text.length; ) {
    const long = text.slice(at, at + 3);
    const key = long.length === 3 && long in KEYS ? long : text[at]!;
    keys.push(KEYS[key] ?? key);
    at += key.length;
  }
  return keys;
}

/** What has to be written so that a screen that shows `before` shows `after`. */
export function changed(before: readonly string[], after: readonly string[]): string {
  let text = "";
  for (let i = 0; i < Math.max(before.length, after.length); i++) {
    if (before[i] !== after[i]) text += `\x1b[${i + 1};1H${after[i] ?? ""}\x1b[K`;
  }
  return text;
}
