/** Levels: their names, and the one table that gives a level to entries whose writer gives none. */

/** Ordered: a filter's minimum is compared with `>=`. */
export const Level = { none: -1, debug: 0, info: 1, warning: 2, error: 3 } as const;
export type Level = (typeof Level)[keyof typeof Level];

/** By number: `levelNames[Level.info]`. */
export const levelNames = ["debug", "info", "warning", "error"] as const;

const ALIASES: ReadonlyMap<string, Level> = new Map<string, Level>([
  ...["debug", "trace", "verbose", "fine", "finest", "silly"].map((name) => [name, Level.debug] as const),
  ...["info", "information", "informational", "notice", "inf"].map((name) => [name, Level.info] as const),
  ...["warning", "warn"].map((name) => [name, Level.warning] as const),
  ...["error", "err", "severe", "critical", "crit", "fatal", "alert", "emerg", "emergency", "panic"].map(
    (name) => [name, Level.error] as const,
  ),
]);

/** Every word for a level, its own name first. */
export function levelWords(level: Level): string[] {
  return [...ALIASES].filter(([, named]) => named === level).map(([word]) => word);
}

/** Level of a word, in any case; none where it names no level. */
export function levelOf(word: string): Level {
  return ALIASES.get(word.trim().toLowerCase()) ?? Level.none;
}

/** Numbers: 0 to 7 are syslog severities, from 10 they are pino's and bunyan's (10 trace … 60 fatal). Others name no level. */
export function levelOfNumber(number: number): Level {
  if (number >= 0 && number <= 7) {
    if (number <= 3) return Level.error;
    return number <= 4 ? Level.warning : number <= 6 ? Level.info : Level.debug;
  }
  if (!(number >= 10 && number < 100)) return Level.none;
  if (number >= 50) return Level.error;
  return number >= 40 ? Level.warning : number >= 30 ? Level.info : Level.debug;
}

/** Actions that are a warning wherever they happen. */
const WARNING_ACTIONS: ReadonlySet<string> = new Set([
  "delete",
  "kill",
  "stop",
  "login",
  "logout",
  "create_token",
  "revoke_token",
  "policy_denied",
  "policy_approval_rejected",
  "git_commit_aborted",
]);

/** Actions that are a warning on one kind of resource. */
const WARNING_ON_RESOURCE: ReadonlySet<string> = new Set([
  ...["token", "api_key"].flatMap((on) => ["create", "revoke", "delete", "rotate"].map((action) => `${on}.${action}`)),
  "policy.update",
]);

/** Level of an entry without one, by the names it matches under. A failed outcome makes it a warning at least (see `View.level`). */
export function levelOfNames(names: readonly string[]): Level {
  let level: Level = Level.info;
  for (const name of names) {
    if (name.endsWith(".fail") || name.endsWith(".error") || name.endsWith("_failed")) return Level.error;
    // `auth.token.create` is `create` on `token`, whichever fields say so.
    const dot = name.lastIndexOf(".");
    const resource = dot > 0 ? name.lastIndexOf(".", dot - 1) + 1 : 0;
    if (WARNING_ACTIONS.has(name.slice(dot + 1)) || WARNING_ON_RESOURCE.has(name.slice(resource)))
      level = Level.warning;
  }
  return level;
}
