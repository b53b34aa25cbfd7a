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

/** What an agent keeps beside its chain, and is none. */
const WITNESS = "witness.jsonl";

export interface Found {
  /** Files by chain, each chain's in no particular order. */
  readonly chains: ChainFile[][];
  /** Of folders that were named: what looks like a log and is not checked, as sentences. */
  readonly warnings: string[];
}

/** Throws `CannotCheck`. */
export function findChains(paths: readonly string[], stdin: Readable | undefined): Found {
  const warnings: string[] = [];
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
      const { meant, others } = directoryFiles(path);
      // Whoever puts a file with a writer's name into a folder must not keep the other logs there from being checked unnoticed.
      if (others.length > 0) {
        warnings.push(`${path}: not checked, as these are not the names of its writers' logs: ${some(others)}`);
      }
      for (const [group, name] of meant) {
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
  if (chains.size === 0) throw new CannotCheck(`${paths.join(", ")}: no log files (*.jsonl, *.log) there`);
  return { chains: [...chains.values()], warnings };
}

function some(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
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

/** Group and path of every file of a directory that is meant, and the names of other logs there. */
function directoryFiles(directory: string): { meant: [group: string, path: string][]; others: string[] } {
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch (error) {
    throw new CannotCheck(`${directory}: ${reasonOf(error)}`);
  }
  names.sort();
  const logs = names.filter((name) => ANY_LOG.test(name));
  const meant = [DASHBOARD, AGENT].flatMap((pattern) =>
    // One chain, whatever else is in the names.
    names
      .filter((name) => pattern.test(name))
      .map((name): [string, string] => [`${resolve(directory)}/${pattern.source}`, join(directory, name)]),
  );
  if (meant.length > 0) {
    const others = logs.filter((name) => !DASHBOARD.test(name) && !AGENT.test(name) && name !== WITNESS);
    return { meant, others };
  }
  return { meant: logs.map((name) => [groupOfPath(name, directory), join(directory, name)]), others: [] };
}

function groupOfPath(path: string, directory = "."): string {
  return groupOf(resolve(directory, path.replace(/\.zst$/, "")), "pattern");
}
