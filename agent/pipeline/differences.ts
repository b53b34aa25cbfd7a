/** What a new configuration changes. */
import { statSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { ServiceOptions } from "../api/config.ts";
import { Secret } from "../api/options.ts";

export interface Difference {
  readonly kind: "input" | "filter" | "output" | "service";
  readonly name: string;
  readonly change: "added" | "removed" | "changed";
}

/** What of `service` takes effect while the agent runs; everything else needs a start. */
const LIVE: readonly (keyof ServiceOptions)[] = ["shutdown_timeout", "orphans"];

/** A part, with what its options point at when it was made. */
export interface Made<Part> {
  readonly config: Part;
  readonly files: string;
}

export function made<Part extends { readonly options: Record<string, unknown> }>(config: Part): Made<Part> {
  return { config, files: tlsFiles(config.options) };
}

interface Options {
  readonly alias: string;
  readonly options: Record<string, unknown>;
}

/** Whether a part may stay as it is. */
export function isSame(before: Made<Options>, now: Options): boolean {
  return same(before.config, now) && before.files === tlsFiles(now.options);
}

/** By value. Secrets by what they hold now. */
function same(a: unknown, b: unknown): boolean {
  if (a instanceof Secret || b instanceof Secret) {
    return a instanceof Secret && b instanceof Secret && a.reveal() === b.reveal();
  }
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (isPlain(a) && isPlain(b)) {
    const keys = Object.keys(a).filter((key) => a[key] !== undefined);
    const others = Object.keys(b).filter((key) => b[key] !== undefined);
    return keys.length === others.length && keys.every((key) => same(a[key], b[key]));
  }
  return isDeepStrictEqual(a, b);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Certificates are renewed under the same path: when and which files they are now. */
function tlsFiles({ tls }: Record<string, unknown>): string {
  if (!isPlain(tls)) return "";
  return ["ca", "cert", "key"]
    .map((name) => {
      const path = tls[name];
      const stat = typeof path === "string" ? statSync(path, { bigint: true, throwIfNoEntry: false }) : undefined;
      return stat === undefined ? "" : `${stat.ino} ${stat.size} ${stat.mtimeNs}`;
    })
    .join(",");
}

/** Of `service`: what changed, and of it what takes effect only at the next start. */
export function serviceDifferences(
  before: ServiceOptions,
  now: ServiceOptions,
): { changed: string[]; later: string[] } {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])] as (keyof ServiceOptions)[];
  const changed = names.filter((name) => !same(before[name], now[name]));
  return { changed, later: changed.filter((name) => !LIVE.includes(name)) };
}

/** Of one kind of parts, in the order of the new configuration; what is gone last. */
export function differences<Part extends Options>(
  kind: Difference["kind"],
  before: ReadonlyMap<string, Made<Part>>,
  now: readonly Part[],
): Difference[] {
  const found: Difference[] = [];
  for (const part of now) {
    const known = before.get(part.alias);
    if (known === undefined) found.push({ kind, name: part.alias, change: "added" });
    else if (!isSame(known, part)) found.push({ kind, name: part.alias, change: "changed" });
  }
  for (const alias of before.keys()) {
    if (!now.some((part) => part.alias === alias)) found.push({ kind, name: alias, change: "removed" });
  }
  return found;
}
