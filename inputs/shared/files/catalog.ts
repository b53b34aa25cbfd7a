/** Every file this input knows, remembered or present, by all the ways to find one. */
import type { Position, Source } from "../../../agent/api/batch.ts";
import type { InputContext } from "../../../agent/api/context.ts";
import { sourceId } from "./identity.ts";
import type { LogFile } from "./log-file.ts";
import { load, type Memory, type Remembered, STARTED_KEY, save } from "./position.ts";

/** Positions of files that are gone are kept so long: a file may come back, and a generation must not be given twice. */
const FORGET_AFTER_MS = 30 * 86_400_000;

export interface SourceMarks {
  readonly facility?: string | undefined;
  readonly severity?: string | undefined;
}

export class Catalog {
  readonly #context: InputContext;
  readonly #marks: SourceMarks;
  readonly memories = new Map<string, Memory>();
  readonly #byFingerprint = new Map<string, Memory[]>();
  /** Remembered files by the inode they had last. */
  readonly #memoryByInode = new Map<string, Memory[]>();
  readonly byPath = new Map<string, LogFile>();
  readonly byInode = new Map<string, LogFile>();
  /** Present, and not yet known to be one or another. */
  readonly newcomers = new Set<LogFile>();
  /** Deleted files that are held open. */
  readonly deleted = new Set<LogFile>();
  /** Remembered files without a file. */
  readonly missing = new Set<Memory>();
  /** Those of them that are not read to their end, by group. */
  readonly #unread = new Map<string, Set<Memory>>();
  /** Keys whose position changed without a record to carry it. */
  readonly #dirty = new Map<string, Memory | undefined>();
  /** No position of this input was ever stored. */
  readonly firstStart: boolean;
  /** Told before a file stops being the one it is remembered as. */
  onDetach: (file: LogFile) => void = () => {};

  constructor(context: InputContext, marks: SourceMarks) {
    this.#context = context;
    this.#marks = marks;
    this.firstStart = context.positions.size === 0;
    for (const [key, value] of context.positions) {
      if (key === STARTED_KEY) continue;
      const remembered = load(value);
      if (remembered) this.#keep(remembered);
      else this.#dirty.set(key, undefined);
    }
  }

  sharing(fingerprint: string): readonly Memory[] {
    return this.#byFingerprint.get(fingerprint) ?? [];
  }

  /** What is remembered of an inode, as of the last start. */
  lastAt(inode: string): readonly Memory[] {
    return this.#memoryByInode.get(inode) ?? [];
  }

  /** A file not seen before: the next generation of its fingerprint. */
  create(
    file: LogFile,
    remembered: Pick<Remembered, "fingerprint" | "first" | "group">,
    history?: Source["history"],
  ): Memory {
    const generation = this.sharing(remembered.fingerprint).reduce(
      (next, each) => Math.max(next, each.generation + 1),
      0,
    );
    const begun: Remembered = {
      ...remembered,
      generation,
      path: file.path,
      inode: file.inode,
      offset: 0,
      proof: "",
      size: file.size,
      mtime: file.mtime,
      finished: false,
      skipped: false,
      gone: undefined,
      lost: 0,
    };
    const memory = this.#keep(begun, history);
    this.adopt(file, memory);
    return memory;
  }

  adopt(file: LogFile, memory: Memory): void {
    this.onDetach(file);
    file.adopt(memory);
    this.newcomers.delete(file);
    this.#unmiss(memory);
    this.changed(memory);
  }

  /**
   * A file of the group with something unread is being looked for: it may be in the midst of a rename. What is newer must not be read
   * before it is found, or known to be gone.
   */
  awaits(group: string): boolean {
    const unread = this.#unread.get(group);
    if (unread) for (const memory of unread) if (memory.gone === undefined) return true;
    return false;
  }

  #miss(memory: Memory): void {
    this.missing.add(memory);
    if (memory.skipped || (memory.finished && memory.offset >= memory.size)) return;
    const unread = this.#unread.get(memory.group);
    if (unread) unread.add(memory);
    else this.#unread.set(memory.group, new Set([memory]));
  }

  #unmiss(memory: Memory): void {
    this.missing.delete(memory);
    const unread = this.#unread.get(memory.group);
    if (unread?.delete(memory) && unread.size === 0) this.#unread.delete(memory.group);
  }

  /** The file is not what is remembered any more. */
  detach(file: LogFile): void {
    const { memory } = file;
    this.onDetach(file);
    file.forget();
    if (!memory) return;
    if (file.unproved) Object.assign(memory, file.unproved);
    file.unproved = undefined;
    memory.missed = 0;
    this.#miss(memory);
  }

  /** The file is there no more, or nothing of it is wanted. */
  drop(file: LogFile): void {
    if (this.byPath.get(file.path) === file) this.byPath.delete(file.path);
    if (this.byInode.get(file.inode) === file) this.byInode.delete(file.inode);
    this.newcomers.delete(file);
    this.deleted.delete(file);
    file.close();
    this.detach(file);
  }

  changed(memory: Memory): void {
    this.#dirty.set(memory.source.id, memory);
  }

  /** Bytes that vanished unread with files that are still remembered. */
  get lostBytes(): number {
    let bytes = 0;
    for (const memory of this.missing) bytes += memory.lost;
    return bytes;
  }

  changedKey(key: string): void {
    const memory = this.memories.get(key);
    if (memory) this.changed(memory);
  }

  isChanged(memory: Memory): boolean {
    return this.#dirty.has(memory.source.id);
  }

  /** Up to `limit` positions that changed, of memories that are `wanted`; they count as stored. */
  takeChanges(
    limit: number,
    except?: Memory,
    wanted: (memory: Memory | undefined) => boolean = () => true,
  ): Position[] {
    const positions: Position[] = [];
    for (const [key, memory] of this.#dirty) {
      if (positions.length >= limit) break;
      // What it was taken for it may not be.
      if (memory?.file?.unproved) continue;
      if (!wanted(memory) && memory !== except) continue;
      this.#dirty.delete(key);
      if (memory && memory === except) continue;
      positions.push(memory ? save(memory) : { key, value: null });
    }
    return positions;
  }

  /** Forgets what has been gone for long. */
  forgetOld(): void {
    const before = this.#context.clock.now() - FORGET_AFTER_MS;
    for (const memory of this.missing) {
      if (memory.gone === undefined || memory.gone > before) continue;
      this.#unmiss(memory);
      this.memories.delete(memory.source.id);
      remove(this.#byFingerprint, memory.fingerprint, memory);
      remove(this.#memoryByInode, memory.inode, memory);
      this.#dirty.set(memory.source.id, undefined);
    }
  }

  #keep(remembered: Remembered, history?: Source["history"]): Memory {
    const id = sourceId(this.#context.node, remembered.fingerprint, remembered.generation);
    const memory: Memory = {
      ...remembered,
      source: this.#source(id, remembered, history),
      file: undefined,
      marks: [],
      missed: 0,
    };
    this.memories.set(id, memory);
    push(this.#byFingerprint, memory.fingerprint, memory);
    push(this.#memoryByInode, memory.inode, memory);
    this.#miss(memory);
    return memory;
  }

  #source(id: string, { group, path }: Remembered, history: Source["history"]): Source {
    const { facility, severity } = this.#marks;
    return {
      id,
      input: this.#context.alias,
      group,
      path,
      ...(facility === undefined ? {} : { facility }),
      ...(severity === undefined ? {} : { severity }),
      ...(history === undefined ? {} : { history }),
    };
  }
}

function push<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

function remove<T>(map: Map<string, T[]>, key: string, value: T): void {
  const rest = map.get(key)?.filter((each) => each !== value) ?? [];
  if (rest.length > 0) map.set(key, rest);
  else map.delete(key);
}
