import { findMember } from "../json/value.ts";

export const SCHEME_NAMES = ["loki-dashboard", "loki-agent", "app"] as const;
export type SchemeName = (typeof SCHEME_NAMES)[number];

/** One way of chaining entries, with the names of its members. */
export interface Scheme {
  readonly name: SchemeName;
  /** Top-level key of an entry's own hash, 64 lower-case hexadecimal digits. */
  readonly hash: string;
  /** Top-level key that names the hash before; undefined where entries do not name it. */
  readonly previous: string | undefined;
  /** What stands for the hash before the first entry, as it is hashed. */
  readonly genesis: string;
  /** How the writer's verifier splits a file: Python's text mode, or JavaScript's `trim().split("\n")`. */
  readonly lines: "python" | "javascript";
}

/** Members under other names than the scheme's own. */
export interface FieldNames {
  readonly hash?: string | undefined;
  readonly previous?: string | undefined;
}

const GENESIS: Readonly<Record<SchemeName, string>> = {
  "loki-dashboard": "0".repeat(64),
  "loki-agent": "GENESIS",
  app: "None",
};

export function schemeOf(name: SchemeName, fields: FieldNames = {}): Scheme {
  const genesis = GENESIS[name];
  switch (name) {
    case "loki-dashboard":
      return { name, hash: fields.hash ?? "_integrity_hash", previous: undefined, genesis, lines: "python" };
    case "loki-agent":
      return {
        name,
        hash: fields.hash ?? "hash",
        previous: fields.previous ?? "previousHash",
        genesis,
        lines: "javascript",
      };
    case "app":
      return { name, hash: fields.hash ?? "hash", previous: fields.previous ?? "prev_hash", genesis, lines: "python" };
  }
}

/** Older documents of the dashboard call its hash so. */
const OLD_DASHBOARD_HASH = "chain_hash";

/**
 * The scheme of a valid JSON object, by its members; undefined where it has no hash. Of names given, only those count.
 * The most particular comes first: an entry with `previousHash` and `hash` is an agent's, whatever else it has.
 */
export function detectScheme(bytes: Buffer, start: number, end: number, fields: FieldNames = {}): Scheme | undefined {
  const has = (key: string | undefined) => key !== undefined && findMember(bytes, start, end, key) !== undefined;
  for (const name of ["loki-agent", "app", "loki-dashboard"] as const) {
    const scheme = schemeOf(name, fields);
    if (has(scheme.hash) && (scheme.previous === undefined || has(scheme.previous))) {
      // With a name given for the hash alone, the dashboard's would take every entry: one that names its predecessor is another's.
      if (name === "loki-dashboard" && fields.hash !== undefined && (has("previousHash") || has("prev_hash"))) continue;
      return scheme;
    }
  }
  if (fields.hash === undefined && has(OLD_DASHBOARD_HASH))
    return schemeOf("loki-dashboard", { hash: OLD_DASHBOARD_HASH });
  return undefined;
}
