/**
 * Notices changes soon. What it says is a hint only: the finder and the files themselves are asked, and a slow rescan catches what a
 * watcher lost.
 */
import { realpathSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { type FSWatcher, watch } from "chokidar";
import type { Finder } from "./find.ts";
import { isInside } from "./open.ts";

export interface WatchHandlers {
  /** Something happened to this path. */
  changed(path: string): void;
  /** Something happened somewhere: look at everything. */
  anything(): void;
  failed(error: Error): void;
}

/** Types of file systems (statfs) that do not tell of changes made on another machine or below another layer. */
const SILENT_TYPES = new Set([
  0x6969, // nfs
  0xff534d42, // cifs
  0xfe534d42, // smb2
  0x517b, // smb
  0x65735546, // fuse
  0x01021997, // 9p
  0x794c7630, // overlay
  0x00c36400, // ceph
]);

/** Whether the directory is on a file system whose changes must be polled for. A directory not yet there: no. */
export function needsPolling(directory: string): boolean {
  try {
    return SILENT_TYPES.has(statfsSync(directory).type);
  } catch {
    return false;
  }
}

export class Watcher {
  readonly #watcher: FSWatcher;
  readonly #ready = Promise.withResolvers<void>();
  /** Watched real directories, and what the configuration calls them. */
  readonly #names: { real: string; base: string }[] = [];

  constructor(finder: Finder, handlers: WatchHandlers) {
    for (const { base } of finder.bases) {
      const real = realOf(base);
      if (!this.#names.some((name) => name.real === real && name.base === base)) this.#names.push({ real, base });
    }
    const depth = Math.max(...finder.bases.map((each) => each.depth));
    this.#watcher = watch([...new Set(this.#names.map((name) => name.real))], {
      persistent: true,
      ignoreInitial: true,
      followSymlinks: false,
      atomic: false,
      ignorePermissionErrors: true,
      ...(Number.isFinite(depth) ? { depth } : {}),
      // Directories are what is watched; of files the watch of their directory tells (`raw`), so none needs an entry or a stat each.
      ignored: (path, stats) => stats?.isFile() === true || !this.#mayHold(finder, path),
    });
    this.#watcher.on("raw", (_event, name, details) => {
      const directory = (details as { watchedPath?: string } | undefined)?.watchedPath;
      if (directory === undefined || name === null) handlers.anything();
      else for (const path of this.#named(join(directory, name))) handlers.changed(path);
    });
    this.#watcher.once("ready", () => this.#ready.resolve());
    this.#watcher.on("addDir", (path) => {
      // One that was not there when the watch began is only seen to come: chokidar has to be told again to look into it.
      if (this.#names.some(({ real }) => real === path)) {
        this.#watcher.unwatch(path);
        this.#watcher.add(path);
      }
      handlers.anything();
    });
    this.#watcher.on("unlinkDir", () => handlers.anything());
    this.#watcher.on("error", (error) => handlers.failed(error as Error));
  }

  /** Resolves when changes from now on are noticed, or never will be because it was closed. */
  ready(): Promise<void> {
    return this.#ready.promise;
  }

  close(): Promise<void> {
    this.#ready.resolve();
    return this.#watcher.close();
  }

  #mayHold(finder: Finder, path: string): boolean {
    return (
      this.#named(path).some((name) => finder.mayHold(name)) || this.#names.some(({ real }) => isInside(real, [path]))
    );
  }

  /** The path as the configuration would write it. */
  #named(path: string): string[] {
    const names: string[] = [];
    for (const { real, base } of this.#names) {
      if (path === real || isInside(path, [real])) names.push(base + path.slice(real.length));
    }
    return names;
  }
}

/** A watcher that follows no links would watch a link itself, and see nothing. */
function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
