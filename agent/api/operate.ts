/**
 * What a running agent says of itself and what may be asked of it: the JSON of `/api`, over HTTP and over the socket in the data directory.
 * The live page, the commands and the server share these shapes. Members are snake_case, times ISO 8601 in UTC, ages and spans seconds,
 * sizes bytes. Counters count from the agent's start, ledgers from an output's first record.
 *
 *   GET  /api/pipeline                         PipelineView
 *   GET  /api/history                          HistoryView
 *   GET  /api/events?entries=1&level&event&actor&text
 *                                              server-sent events: `pipeline` (PipelineView, each second), `log` (LogView),
 *                                              and with entries=1 `entry` (EntryView) and `skipped` (SkippedView)
 *   GET  /api/dead-letters?output&after&limit  LettersView
 *   POST /api/dead-letters/replay              LettersChosen → LettersDone
 *   POST /api/dead-letters/discard             LettersChosen → LettersDone
 *   POST /api/outputs/:alias/pause             → PauseDone
 *   POST /api/outputs/:alias/resume            → PauseDone
 *   POST /api/orphans/:alias/drop              → OrphanDropped
 *   POST /api/reload                           ReloadAsked → ReloadReport; 409 where nothing was applied
 *
 * What fails answers Refusal.
 */
import type { ComponentState } from "./events.ts";
import type { Ledger } from "./status.ts";

export interface Refusal {
  /** A sentence a person can act on. */
  readonly error: string;
}

export interface PartView {
  readonly alias: string;
  /** Name of the plugin. */
  readonly plugin: string;
  readonly state: ComponentState;
  readonly since: string;
  readonly reason: string | null;
}

/** How far behind its writer the reading of a file is. */
export interface FileView {
  readonly path: string;
  /** Bytes it has, of the decompressed content as far as known. */
  readonly size: number;
  /** Bytes that have a place in the queue. */
  readonly offset: number;
  readonly lag_bytes: number;
  /** Since when there are bytes not read yet; 0 where there are none. */
  readonly lag_seconds: number;
  /** No name leads to it any more, only this process holds it. */
  readonly deleted: boolean;
}

export interface InputView extends PartView {
  readonly tag: string;
  readonly read: { readonly records: number; readonly bytes: number };
  /** Over all of its files; `files` is how many it follows. */
  readonly lag: { readonly bytes: number; readonly seconds: number; readonly files: number };
  /** Those furthest behind first, then those read last; at most 20. */
  readonly files: readonly FileView[];
}

export interface BreakView {
  /** A kind of docs/decisions/0011. */
  readonly kind: string;
  /** The kind in words. */
  readonly explanation: string;
  readonly path: string | null;
  /** In bytes. */
  readonly offset: number;
  readonly at: string;
}

export interface ChainView {
  /** Directory and name pattern of its files. */
  readonly group: string;
  readonly scheme: string;
  /** stopped: nothing more is read; quarantined: what comes is kept aside. */
  readonly state: "intact" | "broken" | "stopped" | "quarantined";
  readonly entries: number;
  readonly breaks: number;
  readonly tip: string;
  /** When an entry was verified last. */
  readonly active_at: string;
  readonly last_break: BreakView | null;
}

export interface FilterView extends PartView {
  readonly match: readonly string[];
  readonly filtered: number;
  readonly created: number;
  /** null for filters that verify no chains. */
  readonly chains: {
    readonly count: number;
    readonly verified: number;
    readonly breaks: number;
    /** Those with breaks first, the latest first; at most 50. */
    readonly groups: readonly ChainView[];
  } | null;
}

export interface QueueView {
  readonly state: ComponentState;
  readonly since: string;
  readonly reason: string | null;
  readonly bytes: number;
  readonly max_bytes: number;
  readonly segments: number;
  readonly oldest_seconds: number;
}

export interface OutputView extends PartView {
  readonly match: readonly string[];
  readonly guarantee: string;
  /** By an operator; `reason` says by whom and since when. */
  readonly paused: boolean;
  /** Records wait, and for a minute none was settled. */
  readonly stalled: boolean;
  readonly backlog: { readonly records: number; readonly bytes: number; readonly oldest_seconds: number };
  readonly in_flight: number;
  readonly ledger: Ledger;
  /** 0 where the ledger balances. */
  readonly imbalance: number;
  readonly delivered_bytes: number;
  readonly retries: number;
  readonly last_progress: string | null;
  /** How long records may wait by design (linger, the age of an assembled object): no backlog to speak of. */
  readonly waits_seconds?: number;
}

export interface PipelineView {
  readonly time: string;
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  /** The configuration's path. */
  readonly config: string;
  /** Where the page is, `http://127.0.0.1:2020`; null without an HTTP server. */
  readonly http?: string | null;
  readonly started_at: string;
  readonly status: "ok" | "degraded" | "failed";
  readonly ready: boolean;
  /** Why it is not ok, each a sentence a person can act on. */
  readonly problems: readonly string[];
  readonly inputs: readonly InputView[];
  readonly filters: readonly FilterView[];
  readonly queue: QueueView;
  readonly outputs: readonly OutputView[];
  readonly dead_letters: { readonly records: number; readonly bytes: number };
  /** Backlogs of outputs no longer configured. */
  readonly orphans: readonly { readonly alias: string; readonly records: number; readonly bytes: number }[];
  /** Vanished from files before it could be read, in the last 30 days; in no ledger. */
  readonly lost_at_input_bytes: number;
  readonly process: { readonly cpu_seconds: number; readonly resident_bytes: number };
  readonly last_reload: ReloadReport | null;
}

/** Samples of the last hour, oldest first; every list is as long as `times`. A member without a value then has null. */
export interface HistoryView {
  readonly interval_seconds: number;
  /** Seconds since the epoch. */
  readonly times: readonly number[];
  /** Records read since the start, by input. */
  readonly read: Readonly<Record<string, readonly (number | null)[]>>;
  /** By input, seconds. */
  readonly lag: Readonly<Record<string, readonly (number | null)[]>>;
  readonly outputs: Readonly<
    Record<
      string,
      {
        /** Records settled at the destination since the start. */
        readonly delivered: readonly (number | null)[];
        readonly backlog: readonly (number | null)[];
        readonly oldest_seconds: readonly (number | null)[];
      }
    >
  >;
}

/** A line of the agent's own log, of level info or above. */
export interface LogView {
  readonly time: string;
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly component: string;
  readonly message: string;
}

/**
 * An entry on its way into the queue, behind all filters. Asked for by its least `level`, by `event` and `actor` (names with `*`, several with
 * commas between them) and by a `text` in it, in any case of letters.
 */
export interface EntryView {
  /** The entry's own time; null where it has none. */
  readonly time: string | null;
  /** `info`, `warning`, …; null for what is no JSON object. */
  readonly level: string | null;
  readonly event: string | null;
  readonly actor: string | null;
  readonly tag: string;
  readonly input: string;
  readonly path: string | null;
  readonly offset: number;
  /** As its writer wrote it, at most 16 KiB of it. */
  readonly original: string;
}

/** So many entries of the last second were not looked at, or matched and were not sent, because there were too many of them. */
export interface SkippedView {
  readonly entries: number;
}

export interface LetterView {
  /** For `ids`; unique together with `output`. */
  readonly id: string;
  readonly output: string;
  readonly time: string;
  readonly reason: string;
  readonly attempts: number;
  readonly tag: string;
  readonly path: string | null;
  readonly offset: number;
  /** At most 64 KiB of it; base64 where it is no UTF-8. */
  readonly original: string;
  readonly encoding: "utf8" | "base64";
}

export interface LettersView {
  /** Oldest first. */
  readonly letters: readonly LetterView[];
  /** For `after`; null where these were the last. */
  readonly next: string | null;
  readonly total: number;
}

/** `{output}`: all of that output; `{output, ids}`: these; `{all: true}`: all there are. */
export interface LettersChosen {
  readonly output?: string;
  readonly ids?: readonly string[];
  readonly all?: true;
}

export interface LettersDone {
  readonly records: number;
  /** Left where they are, because their output is no longer configured. */
  readonly left: number;
}

export interface PauseDone {
  readonly alias: string;
  readonly paused: boolean;
}

export interface OrphanDropped {
  readonly alias: string;
  readonly records: number;
  readonly bytes: number;
}

export interface ReloadAsked {
  /** Take the new configuration even where a destination that is new or changed cannot be reached. */
  readonly unprobed?: boolean;
}

export interface ReloadReport {
  readonly at: string;
  /** SIGHUP, the file's change, or who asked. */
  readonly by: string;
  readonly applied: boolean;
  readonly changes: readonly {
    readonly kind: "input" | "filter" | "output" | "service";
    readonly name: string;
    readonly change: "added" | "removed" | "changed";
  }[];
  /** Parts that go on as they were. */
  readonly kept: number;
  /** Why nothing was applied; with `applied`, what takes effect only at the next start. */
  readonly problems: readonly string[];
}
