/** Which files the configured paths mean. */
import type { Dirent } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import picomatch from "picomatch";
import { codeOf, isInside, isMissing } from "./open.ts";
import type { System } from "./system.ts";

export interface FindOptions {
  /** Paths or globs. */
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly followSymlinks: boolean;
  /** Real paths of the directories links may lead into. */
  readonly allowedRoots: readonly string[];
}

interface Pattern {
  /** The directory before the first magic part. */
  readonly base: string;
  /** Levels of directories below the base that can hold files; 0 for the base alone. */
  readonly depth: number;
  readonly matches: (path: string) => boolean;
}

export interface Listing {
  /** Absolute paths of everything that matches, whatever it is. */
  readonly paths: string[];
  /** Directories that were listed whole. */
  readonly listed: Set<string>;
  /** Directories that exist and cannot be read, with the error's code. */
  readonly failed: Map<string, string>;
}

/** `~` is the home directory, as in a shell. */
export function expandHome(path: string): string {
  return path === "~" || path.startsWith("~/") ? join(homedir(), path.slice(1)) : path;
}

export class Finder {
  readonly #patterns: readonly Pattern[];
  readonly #excluded: (path: string) => boolean;
  readonly #options: FindOptions;
  readonly #system: System;

  constructor(options: FindOptions, system: System) {
    this.#options = options;
    this.#system = system;
    this.#patterns = options.paths.map((path) => toPattern(resolve(expandHome(path))));
    const exclude = options.exclude.map((pattern) => {
      // Without a slash it means the name, wherever the file is.
      const anywhere = !pattern.includes("/");
      const matches = matcher(anywhere ? pattern : resolve(expandHome(pattern)));
      return anywhere ? (path: string) => matches(path.slice(path.lastIndexOf(sep) + 1)) : matches;
    });
    this.#excluded = (path) => exclude.some((matches) => matches(path));
  }

  /** Directories to watch, with the levels below them that matter. */
  get bases(): readonly { readonly base: string; readonly depth: number }[] {
    return this.#patterns;
  }

  matches(path: string): boolean {
    return this.#patterns.some((pattern) => pattern.matches(path)) && !this.#excluded(path);
  }

  /** Whether the path may be a directory that holds files of ours, as far as its depth tells. */
  mayHold(path: string): boolean {
    return this.#patterns.some(({ base, depth }) => {
      if (path === base || base.startsWith(path + sep)) return true;
      return isInside(path, [base]) && levels(base, path) <= depth;
    });
  }

  /** Lists one directory, or everything. */
  async list(directory?: string): Promise<Listing> {
    const listing: Listing = { paths: [], listed: new Set(), failed: new Map() };
    if (directory !== undefined) {
      if (this.mayHold(directory)) await this.#directory(directory, listing, false, new Set());
      return listing;
    }
    for (const { base } of this.#patterns) await this.#directory(base, listing, true, new Set());
    return listing;
  }

  async #directory(path: string, listing: Listing, deep: boolean, above: ReadonlySet<string>): Promise<void> {
    if (listing.listed.has(path)) return;
    let entries: Dirent[];
    try {
      entries = await this.#system.list(path);
    } catch (error) {
      if (!isMissing(error)) listing.failed.set(path, codeOf(error));
      else listing.listed.add(path);
      return;
    }
    listing.listed.add(path);
    for (const entry of entries) {
      const full = path === sep ? sep + entry.name : path + sep + entry.name;
      if (this.matches(full)) listing.paths.push(full);
      if (deep) await this.#below(full, entry, listing, above);
    }
  }

  async #below(path: string, entry: Dirent, listing: Listing, above: ReadonlySet<string>): Promise<void> {
    if (entry.isDirectory()) {
      if (this.mayHold(path)) await this.#directory(path, listing, true, above);
      return;
    }
    if (!entry.isSymbolicLink() || !this.#options.followSymlinks || !this.mayHold(path)) return;
    const real = await realpath(path).catch(() => undefined);
    // `above` ends circles of links.
    if (real === undefined || above.has(real) || !isInside(real, this.#options.allowedRoots)) return;
    const target = await stat(real).catch(() => undefined);
    if (target?.isDirectory()) await this.#directory(path, listing, true, new Set([...above, real]));
  }
}

function matcher(pattern: string): (path: string) => boolean {
  return picomatch(pattern, { dot: true });
}

function toPattern(path: string): Pattern {
  const scanned = picomatch.scan(path);
  if (!scanned.isGlob) return { base: dirname(path), depth: 0, matches: (other) => other === path };
  const base = scanned.base === "" ? sep : scanned.base;
  const parts = scanned.glob.split("/");
  const depth = scanned.glob.includes("**") ? Number.POSITIVE_INFINITY : parts.length - 1;
  return { base, depth, matches: matcher(path) };
}

function levels(base: string, path: string): number {
  return path.slice(base.length).split(sep).filter(Boolean).length;
}
