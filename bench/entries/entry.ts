import type { CorpusKind } from "../corpus.ts";

/** One line of a corpus. */
export interface Entry {
  /** Without its newline. */
  readonly line: string | Buffer;
  /** Whether `level: info` and `exclude_events: [api.request]` let it pass. */
  readonly kept: boolean;
}

/** Entries without end: the same seed, the same ones. */
export interface EntrySource {
  readonly kind: CorpusKind;
  /** How many, unless the command says otherwise. */
  readonly entries: number;
  /** Of what entries are taken from, where that is not the code alone. Throws NoSource where it is not there. */
  version?(): string;
  from(next: () => number): (i: number) => Entry;
}

/** Says what is missing. */
export class NoSource extends Error {}

/** For entries that name their level and one event. */
export function passes(level: string, event: string): boolean {
  return level !== "debug" && event !== "api.request";
}

export function pick<T>(list: readonly T[], random: number): T {
  return list[random % list.length]!;
}

export function levelAt(random: number): string {
  const n = random % 100;
  return n < 10 ? "debug" : n < 80 ? "info" : n < 93 ? "warning" : "error";
}

/** When entry `i` happened, in milliseconds since the epoch. */
export function timeAt(i: number): string {
  return new Date(Date.UTC(2026, 1, 1) + i * 7).toISOString();
}
