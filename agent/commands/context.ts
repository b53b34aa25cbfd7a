import { access } from "node:fs/promises";
import type { Readable } from "node:stream";
import type { LoadedConfig } from "../../config/load.ts";
import { ConfigError, formatProblem } from "../../config/problems.ts";
import type { Registries } from "../api/plugin.ts";
import type { Screen } from "./screen.ts";

/** What commands get: no command reaches for the terminal or the registries itself. */
export interface CommandContext {
  registries(): Promise<Registries>;
  readonly version: string;
  /** Standard output: what was asked for. */
  out(text: string): void;
  /** Standard error: everything that is said beside it. */
  err(text: string): void;
  /** Standard input. */
  input(): Readable;
  readonly terminal: Terminal;
  /** The terminal as a whole, from now until it is closed; undefined where keys or output come from or go to something else. */
  screen?(): Screen | undefined;
  /** Resolves when all of `out` has left the process: a pipe takes 64 KiB, and what still waits when the process ends is gone. */
  drained(): Promise<void>;
}

/** What somebody sits in front of. */
export interface Terminal {
  /** Of standard output; undefined where that is no terminal. */
  readonly columns: number | undefined;
  /** Standard output takes colours. */
  readonly colours: boolean;
  /** Standard error is a terminal too: what happens may be drawn there. */
  readonly drawable: boolean;
}

/** absent: no agent runs, where one was asked. */
export const EXIT = { fine: 0, failed: 1, usage: 2, absent: 3 } as const;

/** Loads, and prints what is wrong; undefined where that is anything but warnings. */
export async function load(file: string, context: CommandContext): Promise<LoadedConfig | undefined> {
  const { loadConfig } = await import("../../config/load.ts");
  const registries = await context.registries();
  try {
    const loaded = loadConfig(file, registries);
    for (const warning of loaded.warnings) context.err(`warning: ${formatProblem(file, warning)}\n`);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const count = error.problems.length;
    context.err(`${error.message}\n${count === 1 ? "1 problem" : `${count} problems`}; nothing was started.\n`);
    return undefined;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Columns, aligned; the last one as long as it likes. */
export function table(rows: readonly (readonly string[])[], indent = "  "): string {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) => indent + row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]!))).join("  "))
    .map((line) => `${line.trimEnd()}\n`)
    .join("");
}

/** `1.5 GiB`, for people. */
export function bytes(n: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = n;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : Number(value.toFixed(1))} ${units[unit]}`;
}

export function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
