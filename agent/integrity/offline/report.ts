/** What is known of a chain once it was checked. */
import { type BreakKind, KIND_WORDS } from "../kinds.ts";
import type { SchemeName } from "../scheme.ts";
import type { OrderName } from "./order.ts";

export interface Break {
  readonly file: string;
  /** From 1, as the scheme's own verifier counts. */
  readonly line: number;
  /** Bytes of the file before the line. */
  readonly offset: number;
  readonly kind: BreakKind;
  readonly message: string;
  readonly expected: string | null;
  readonly found: string | null;
  /** Lines that are this break: more than one where a run of lines has no hash. */
  lines: number;
}

/** Lines around a break, as they stand in the file. */
export interface Excerpt {
  readonly lines: readonly { readonly number: number; readonly text: string; readonly broken: boolean }[];
}

export interface FileReport {
  readonly file: string;
  state: "ok" | "broken" | "skipped";
  entries: number;
  breaks: number;
}

/** Beside a kind of break: why a chain is not simply valid or broken. */
export type Reason = BreakKind | "mtimes_lost" | "unchained";

export interface ChainReport {
  readonly valid: boolean;
  readonly reason: Reason | null;
  readonly scheme: SchemeName | null;
  /** Up to the first break, as the scheme's own verifier counts; of a valid chain all. */
  readonly files_checked: number;
  readonly files_skipped: number;
  readonly entries_checked: number;
  readonly first_tampered_file: string | null;
  readonly first_tampered_line: number | null;
  readonly genesis_file: string | null;
  /** The last hash before the first break; of a valid chain its last. */
  readonly tip_hash: string | null;
  readonly first_break_kind: BreakKind | null;
  readonly breaks: readonly Break[];
  /** Those that `breaks` has no room for included. */
  readonly breaks_total: number;
  /** How many of each kind. Of a chain with very many breaks only the first ones are looked at: the rest has no kind. */
  readonly kinds: Readonly<Partial<Record<BreakKind, number>>>;
  readonly order: OrderName;
  /** Entries with a hash, those behind breaks included. */
  readonly entries: number;
  readonly files: readonly FileReport[];
  readonly warnings: readonly string[];
  /** Around the first break. */
  readonly excerpt: Excerpt | undefined;
}

export const TOO_LONG = "the line is too long to be an entry (64 MiB are the most)";

export function messageOf(kind: BreakKind): string {
  return KIND_WORDS[kind];
}

/** What there is to say of all chains together: sums, and of the first broken chain the rest. */
export interface Report extends ChainReport {
  readonly chains: readonly ChainReport[];
}
