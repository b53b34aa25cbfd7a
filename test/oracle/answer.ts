import type { BreakKind } from "../../agent/integrity/kinds.ts";

/** The members of `audit-agent verify --json`, with files by their names alone. */
export interface Answer {
  readonly valid: boolean;
  readonly files_checked: number;
  readonly files_skipped: number;
  readonly entries_checked: number;
  readonly first_tampered_file: string | null;
  /** Counted from 1. */
  readonly first_tampered_line: number | null;
  readonly genesis_file: string | null;
  readonly tip_hash: string | null;
  readonly breaks: readonly Break[];
}

export interface Break {
  readonly file: string;
  readonly line: number;
  readonly kind: BreakKind;
}
