/** What `audit-agent doctor` is made of: checks, each a function that looks at one thing and says what it found and what to do. */
import type { LoadedConfig } from "../../../config/load.ts";
import type { Preset } from "../../../outputs/shared/retention.ts";
import type { Clock } from "../../api/clock.ts";
import type { CommandContext } from "../context.ts";

/** unknown: nobody can tell from here, and somebody should look. */
export type Level = "ok" | "unknown" | "warn" | "error";

export interface Finding {
  readonly level: Level;
  readonly what: string;
  /** null where there is nothing to do. */
  readonly todo: string | null;
}

export interface Subject extends LoadedConfig {
  /** The configuration file, as it was given. */
  readonly file: string;
  readonly context: CommandContext;
  readonly clock: Clock;
  /** Frameworks asked for with `--framework`. */
  readonly frameworks: readonly Preset[];
  /** Where the system says things about itself; others for tests. */
  readonly system: { readonly proc: string; readonly etc: string; readonly run: string };
}

export interface Check {
  readonly name: string;
  readonly run: (subject: Subject) => Promise<readonly Finding[]> | readonly Finding[];
}

export const ok = (what: string): Finding => ({ level: "ok", what, todo: null });
export const unknown = (what: string, todo: string | null = null): Finding => ({ level: "unknown", what, todo });
export const warn = (what: string, todo: string): Finding => ({ level: "warn", what, todo });
export const error = (what: string, todo: string): Finding => ({ level: "error", what, todo });

/** Where nothing was found: all is well. */
export function orOk(findings: readonly Finding[], what: string): readonly Finding[] {
  return findings.length === 0 ? [ok(what)] : findings;
}
