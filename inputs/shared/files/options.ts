/** What the file engine needs to be told; `tail` and `agent_audit` make it of their own options. */
import type { ParserName } from "../parse/framer.ts";
import type { GroupBy } from "./group.ts";

export interface FileOptions {
  /** Paths or globs; `~` is the home directory. */
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly parser: ParserName;
  readonly multiline?: "json" | undefined;
  readonly readFrom: "beginning" | "end";
  /** Milliseconds; undefined: no file is too old. */
  readonly ignoreOlder?: number | undefined;
  readonly maxLineBytes: number;
  /** Milliseconds a rotated file must be unchanged before it counts as finished. */
  readonly rotateWait: number;
  readonly groupBy: GroupBy;
  readonly maxOpenFiles: number;
  readonly followSymlinks: boolean;
  readonly allowedRoots: readonly string[];
  readonly watch: "auto" | "notify" | "poll";
  /** Milliseconds between looks where changes are polled for. */
  readonly pollInterval: number;
  /** Milliseconds between looks at everything where a watcher tells of changes. */
  readonly rescanInterval: number;
  readonly facility?: string | undefined;
  readonly severity?: string | undefined;
  /** The most bytes of one batch. */
  readonly chunkBytes: number;
}
