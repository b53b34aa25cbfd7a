/** One input, filter or output on its way from the file to `ResolvedConfig`. */
import type { OutputOptions, ResolvedFilter, ResolvedInput, ResolvedOutput } from "../agent/api/config.ts";
import type { Registries } from "../agent/api/plugin.ts";
import type { Path, Problem } from "./problems.ts";

export type AnyDefinition = Registries[keyof Registries][number];

/** A validated part, before it is known which of the three kinds it is. */
export interface Entry {
  readonly definition: AnyDefinition;
  readonly path: Path;
  readonly alias: string;
  readonly base: { readonly tag?: string | undefined; readonly match?: string | string[] };
  readonly options: Record<string, unknown>;
  readonly common: OutputOptions | undefined;
}

export function resolvedInput({ definition, alias, base, options }: Entry): ResolvedInput {
  return { definition: definition as ResolvedInput["definition"], alias, tag: base.tag ?? alias, options };
}

export function resolvedFilter({ definition, alias, base, options }: Entry): ResolvedFilter {
  return { definition: definition as ResolvedFilter["definition"], alias, match: listOf(base.match), options };
}

export function resolvedOutput({ definition, alias, base, options, common }: Entry): ResolvedOutput {
  return {
    definition: definition as ResolvedOutput["definition"],
    alias,
    match: listOf(base.match),
    options,
    common: common!,
  };
}

export function listOf(match: string | string[] | undefined): readonly string[] {
  return match === undefined ? ["*"] : Array.isArray(match) ? match : [match];
}

export function pick(value: Record<string, unknown>, keys: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([key]) => Object.hasOwn(keys, key)));
}

export function inOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
  return sorted.filter((p) => {
    const key = JSON.stringify(p);
    return !seen.has(key) && seen.add(key);
  });
}

export function withoutCredentials(value: string): string {
  if (!URL.canParse(value)) return value;
  const url = new URL(value);
  if (url.username === "" && url.password === "" && url.search === "") return value;
  url.username = "";
  url.password = "";
  url.search = "";
  return url.href;
}
