/**
 * Which files this output has made and not yet closed, and which are closed and wait to be compressed. Kept in a small file beside the
 * archive, because a name that fits the template proves nothing: only files this output began itself are ever compressed.
 */
import { open, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Clock } from "../../agent/api/clock.ts";
import type { Emit } from "../../agent/api/events.ts";
import { compressFile } from "./compress.ts";
import { putAway, syncDirectory, uncompressed } from "./files.ts";

/** A file of a past day is closed after this long without a write. Counted in this process, so what a restart repeats comes first. */
const IDLE_MS = 10 * 60_000;

export interface ClosingParts {
  readonly base: string;
  readonly alias: string;
  readonly method: "gzip" | "zstd";
  readonly clock: Clock;
  readonly emit: Emit;
}

export class Closing {
  readonly #parts: ClosingParts;
  readonly #list: string;
  /** By path: when it was last written, monotonic milliseconds. */
  readonly #open = new Map<string, number>();
  readonly #closed = new Set<string>();
  readonly #stop = new AbortController();
  #loaded = false;
  #work: Promise<void> = Promise.resolve();
  #saving: Promise<void> = Promise.resolve();

  constructor(parts: ClosingParts) {
    this.#parts = parts;
    this.#list = join(parts.base, `.audit-agent-${parts.alias.replace(/[^\w-]/g, "_")}.json`);
  }

  /** `path` is about to be written; `made`: the file is new. */
  async touch(path: string, made: boolean): Promise<void> {
    await this.#load();
    const known = this.#open.has(path);
    if (known || made) this.#open.set(path, this.#parts.clock.monotonic());
    if (known || !made) return;
    await this.#save().catch((error) => {
      this.#open.delete(path);
      throw error;
    });
  }

  /** `path` was renamed to `closed`. */
  async closed(path: string, closed: string): Promise<void> {
    await this.#load();
    if (!this.#open.delete(path)) return;
    this.#closed.add(closed);
    try {
      await this.#save();
    } finally {
      this.#compress(closed);
    }
  }

  /** Closes the files that nothing was written to for long, but for `current`. */
  async sweep(current: string): Promise<void> {
    await this.#load();
    const idle = this.#parts.clock.monotonic() - IDLE_MS;
    for (const [path, last] of [...this.#open]) {
      if (path === current || last > idle) continue;
      const closed = await putAway(path).catch(() => undefined);
      if (closed !== undefined) await this.closed(path, closed);
      else this.#open.delete(path);
    }
  }

  /** Stops compressing; what is not finished is done at the next start. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#work;
  }

  /** Resolves when what is closed is compressed. */
  async idle(): Promise<void> {
    await this.#work;
  }

  #compress(path: string): void {
    this.#work = this.#work.then(async () => {
      if (this.#stop.signal.aborted) return;
      try {
        await compressFile(path, this.#parts.method, this.#stop.signal);
        this.#closed.delete(path);
        await this.#save();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        const message = `${path} stays uncompressed until the next start: ${(error as Error).message}`;
        this.#parts.emit({ is: "notice", level: "warn", component: this.#parts.alias, message });
      }
    });
  }

  async #load(): Promise<void> {
    if (this.#loaded) return;
    this.#loaded = true;
    const text = await readFile(this.#list, "utf8").catch(() => "");
    const stored = parseList(text);
    const now = this.#parts.clock.monotonic();
    for (const path of stored.open) if (!this.#open.has(path)) this.#open.set(path, now);
    for (const path of stored.closed) this.#closed.add(path);
    // Renamed just before a crash, so that the list does not know of it yet.
    for (const path of stored.open) for (const closed of await uncompressed(path)) this.#closed.add(closed);
    for (const path of this.#closed) this.#compress(path);
  }

  /** One after the other, as they share a temporary file. */
  async #save(): Promise<void> {
    const saving = this.#saving.then(() => this.#write());
    this.#saving = saving.catch(() => {});
    await saving;
  }

  async #write(): Promise<void> {
    const temporary = `${this.#list}.tmp`;
    const file = await open(temporary, "w", 0o600);
    try {
      await file.writeFile(JSON.stringify({ open: [...this.#open.keys()], closed: [...this.#closed] }));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#list);
    await syncDirectory(dirname(this.#list));
  }
}

/** What cannot be read is forgotten: those files stay uncompressed, nothing else. */
function parseList(text: string): { open: string[]; closed: string[] } {
  try {
    const { open, closed } = JSON.parse(text) as { open?: unknown; closed?: unknown };
    const paths = (value: unknown) => (Array.isArray(value) ? value.filter((p) => typeof p === "string") : []);
    return { open: paths(open), closed: paths(closed) };
  } catch {
    return { open: [], closed: [] };
  }
}
