import type { ComponentState } from "./events.ts";
import type { ChainGroups } from "./filter.ts";
import type { InputLag } from "./input.ts";

/** Per output, at any moment: `read + created = filtered + delivered + rejected + lost + queued`. Kept across restarts. */
export interface Ledger {
  readonly read: number;
  readonly created: number;
  readonly filtered: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly lost: number;
  readonly queued: number;
}

/** 0 when the ledger balances; else so many records are unaccounted for (positive) or counted twice (negative). */
export function imbalance(l: Ledger): number {
  return l.read + l.created - l.filtered - l.delivered - l.rejected - l.lost - l.queued;
}

export interface ComponentStatus {
  readonly alias: string;
  /** Name of the plugin. */
  readonly plugin: string;
  readonly state: ComponentState;
  /** Milliseconds since the epoch. */
  readonly since: number;
  readonly reason: string | undefined;
}

export interface InputStatus extends ComponentStatus {
  readonly tag: string;
  /** With at most 20 files; absent for what reads no files. */
  readonly lag?: InputLag;
}

export interface FilterStatus extends ComponentStatus {
  readonly match?: readonly string[];
  /** Of a filter that verifies hash chains. */
  readonly chains?: ChainGroups;
}

export interface OutputStatus extends ComponentStatus {
  readonly match?: readonly string[];
  readonly guarantee?: string;
  /** By an operator: `reason` says by whom. */
  readonly paused?: boolean;
  readonly ledger: Ledger;
  readonly backlog: { readonly records: number; readonly bytes: number; readonly oldest: number | undefined };
  readonly inFlight: number;
  /** When records last settled, milliseconds since the epoch. */
  readonly lastProgress: number | undefined;
  /** How long records may wait by design (linger, the age of an assembled object), milliseconds: no stall. */
  readonly waitsMs?: number;
}

export interface PipelineStatus {
  readonly startedAt: number;
  readonly inputs: readonly InputStatus[];
  readonly filters: readonly FilterStatus[];
  readonly outputs: readonly OutputStatus[];
  readonly queue: {
    readonly state: ComponentState;
    /** Milliseconds since the epoch, where it is blocked. */
    readonly since: number | undefined;
    readonly reason: string | undefined;
    readonly bytes: number;
    readonly maxBytes: number;
    readonly segments: number;
    readonly oldest: number | undefined;
  };
  readonly orphans: readonly { readonly alias: string; readonly records: number; readonly bytes: number }[];
  readonly deadLetters: { readonly records: number; readonly bytes: number };
  /** Bytes that vanished from sources before they could be read, as far back as the inputs remember. */
  readonly lostAtInputBytes: number;
}
