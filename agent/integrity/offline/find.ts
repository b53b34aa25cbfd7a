/** Which files are meant by what the user named, and which of them are one chain. */
import { globSync, readdirSync, type Stats, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Readable } from "node:stream";
import { groupOf } from "../../../inputs/shared/files/group.ts";
import { ChainFile } from "./opened.ts";
import { CannotCheck, reasonOf } from "./problem.ts";

/** As the dashboard's own verifier looks for its files. */
export const DASHBOARD = /^audit-.*\.jsonl(\.gz|\.zst)?$/s;
const AGENT = /^audit\.jsonl(\.\d+)?(\.gz|\.zst)?$/;
const ANY_LOG = /\.(jsonl|log)(\.\d+)?(\.gz|\.zst)?$/;

/** Files by chain, each chain's in no particular order. Throws `CannotCheck`. */
export function findChains(paths: readonly string[], stdin: Readable | undefined): ChainFile[][] {
  const chains = new Map<string, ChainFile[]>();
  const known = new Set<string>();
  const add = (group: string, path: string, stat: Stats) => {
    const place = resolve(path);
    if (known.has(place)) return;
    known.add(place);
    const files = chains.get(group);
    const file = new ChainFile(path, stat.mtimeMs, stat.size);
    if (files === undefined) chains.set(group, [file]);
    else files.push(file);
  };
  for (const path of paths) {
    if (path === "-") {
      if (stdin !== undefined && !chains.has("-")) chains.set("-", [new ChainFile("-", 0, 0, stdin)]);
      continue;
    }
    const stat = statOf(path);
    if (stat?.isDirectory() === true) {
      for (const [group, name] of directoryFiles(path)) {
        const found = statOf(name);
        if (found === undefined) throw new CannotCheck(`${name}: does not exist`, true);
        if (found.isFile()) add(group, name, found);
      }
    } else if (stat !== undefined) {
      if (!stat.isFile()) throw new CannotCheck(`${path}: is not a regular file (for a pipe say -)`);
      add(groupOfPath(path), path, stat);
    } else {
      for (const name of expand(path)) {
        const found = statOf(name);
        if (found?.isFile() === true) add(groupOfPath(name), name, found);
      }
    }
  }
  const found = [...chains.values()];
  if (found.length === 0) throw new CannotCheck(`${paths.join(", ")}: no log files (*.jsonl, *.log) there`);
  return found;
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new CannotCheck(`${path}: ${reasonOf(error)}`);
  }
}

function expand(pattern: string): string[] {
  if (!/[*?[{(]/.test(pattern)) throw new CannotCheck(`${pattern}: does not exist`);
  let names: string[];
  try {
    names = globSync(pattern);
  } catch (error) {
    throw new CannotCheck(`${pattern}: ${reasonOf(error)}`);
  }
  if (names.length === 0) throw new CannotCheck(`${pattern}: fits no file`);
  return names.sort();
}

/** Group and path of every file of a directory that is meant. */
function directoryFiles(directory: string): [group: string, path: string][] {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw new CannotCheck(`${directory}: ${reasonOf(error)}`);
  }
  names.sort();
  const found = [DASHBOARD, AGENT].flatMap((pattern) =>
    // One chain, whatever else is in the names.
    names
      .filter((name) => pattern.test(name))
      .map((name): [string, string] => [`${resolve(directory)}/${pattern.source}`, join(directory, name)]),
  );
  if (found.length > 0) return found;
  return names
    .filter((name) => ANY_LOG.test(name))
    .map((name) => [groupOfPath(name, directory), join(directory, name)]);
}

function groupOfPath(path: string, directory = "."): string {
  return groupOf(resolve(directory, path.replace(/\.zst$/, "")), "pattern");
}
