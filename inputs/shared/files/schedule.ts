/** Whose turn it is: groups in a ring, and within a group one file after the other. */
import { inOrder } from "./group.ts";
import type { LogFile } from "./log-file.ts";

/** `once`: everything to its end. `stop`: everything to where it ended when the stop came. */
export type Mode = "run" | "once" | "stop";

export type Turn =
  | { readonly is: "read"; readonly file: LogFile }
  /** It is complete; `flush`: so is its last line, though it has no newline. */
  | { readonly is: "finish"; readonly file: LogFile; readonly flush: boolean }
  /** Nothing to do before `until` (monotonic milliseconds), or before something changes. */
  | { readonly is: "wait"; readonly until: number | undefined };

/** A file that is written on and on keeps newer ones waiting for so many times `rotate_wait`, not for ever. */
const PATIENCE = 6;

export class Group {
  readonly name: string;
  /** Files with something to do: unfinished, or finished and written to again; and some whose identity is not known yet. */
  readonly #files = new Set<LogFile>();
  #ordered: LogFile[] | undefined;
  #late: LogFile[] = [];
  #lateTurn = false;
  wakeAt: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get empty(): boolean {
    return this.#files.size === 0;
  }
  has(file: LogFile): boolean {
    return this.#files.has(file);
  }

  add(file: LogFile): void {
    this.#files.add(file);
    this.#ordered = undefined;
  }
  /**
   * Keeps the order of the others: a group may have a hundred thousand files, and each is removed once. Most often it is the oldest, which
   * is at the end, where nothing has to be moved up.
   */
  remove(file: LogFile): void {
    this.#files.delete(file);
    const at = this.#ordered?.lastIndexOf(file) ?? -1;
    if (at >= 0) this.#ordered!.splice(at, 1);
    const late = this.#late.indexOf(file);
    if (late >= 0) this.#late.splice(late, 1);
  }
  /** A file became finished, or its time changed. */
  changed(): void {
    this.#ordered = undefined;
  }

  /** Unfinished files, newest first. */
  get ordered(): readonly LogFile[] {
    if (!this.#ordered) {
      this.#ordered = inOrder([...this.#files].filter((file) => !file.finished)).reverse();
      this.#late = [...this.#files].filter((file) => file.finished && file.memory);
    }
    return this.#ordered;
  }

  /** The newest file that is known. A compressed one is the rest of an older one, whatever its time says: nobody writes to it. */
  get newest(): LogFile | undefined {
    return this.ordered.find((file) => file.memory && !file.compressed) ?? this.ordered.find((file) => file.memory);
  }

  turn(now: number, wait: number, mode: Mode): Turn {
    const { ordered } = this;
    // By turns with the others: neither a file that goes on being late nor a big backlog may keep the other waiting.
    this.#lateTurn = !this.#lateTurn;
    if (this.#lateTurn) {
      const late = this.#lateOne(now, wait, mode);
      if (late && late.is !== "wait") return late;
    }
    const turn = this.#ordinary(ordered, now, wait, mode);
    if (turn.is !== "wait") return turn;
    const late = this.#lateOne(now, wait, mode);
    if (late?.is !== "wait") return late ?? turn;
    return { is: "wait", until: earliest(turn.until, late.until) };
  }

  #lateOne(now: number, wait: number, mode: Mode): Turn | undefined {
    let until: number | undefined;
    for (const file of this.#late) {
      if (file.readable) return { is: "read", file };
      const quietAt = file.changedAt + wait;
      if (mode === "once" || now >= quietAt || !file.memory || file.memory.offset >= file.size) {
        return { is: "finish", file, flush: true };
      }
      until = earliest(until, quietAt);
    }
    return until === undefined ? undefined : { is: "wait", until };
  }

  #ordinary(ordered: readonly LogFile[], now: number, wait: number, mode: Mode): Turn {
    const newestKnown = this.newest;
    let expected = false;
    for (let i = ordered.length - 1; i >= 0; i--) {
      const file = ordered[i]!;
      if (!file.memory) {
        expected = true;
        continue;
      }
      if (expected && mode !== "once") return { is: "wait", until: undefined };
      if (file.readable) return { is: "read", file };
      const newest = file === newestKnown;
      const live = newest && !file.deleted && !file.strayed && !file.compressed;
      if (mode === "once" && (!live || !file.flushed)) return { is: "finish", file, flush: true };
      // A compressed file after it, by its time, is older all the same.
      if (live) continue;
      const quietAt = file.changedAt + wait;
      if (now >= quietAt) return { is: "finish", file, flush: true };
      if (mode === "stop") {
        // Whole lines of newer files may go; an unfinished one, which comes first, would come too late.
        if (file.unread === 0) continue;
        break;
      }
      if (newest) return { is: "wait", until: quietAt };
      file.holdingSince ??= now;
      const patientTo = file.holdingSince + PATIENCE * wait;
      if (now >= patientTo) return { is: "finish", file, flush: false };
      return { is: "wait", until: Math.min(quietAt, patientTo) };
    }
    return { is: "wait", until: undefined };
  }
}

export function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b;
  return b === undefined ? a : Math.min(a, b);
}

/** Groups that may have something to do, in turn: each gets one read, so a busy one cannot starve a quiet one. */
export class Schedule {
  readonly #groups = new Map<string, Group>();
  readonly #ring = new Set<Group>();
  readonly #sleeping = new Set<Group>();
  readonly #expected = new Map<LogFile, string>();
  onAdd: (file: LogFile) => void = () => {};

  group(name: string): Group {
    let group = this.#groups.get(name);
    if (!group) {
      group = new Group(name);
      this.#groups.set(name, group);
    }
    return group;
  }

  /** The file has something to do, or may have. */
  add(file: LogFile): void {
    this.onAdd(file);
    if (!file.memory) return;
    const group = this.group(file.memory.group);
    group.add(file);
    this.wake(group);
  }

  /** A newcomer whose identity will be known soon: what comes after it in its group waits for that. */
  expect(file: LogFile, name: string): void {
    this.#expected.set(file, name);
    const group = this.group(name);
    if (!group.has(file)) group.add(file);
    this.wake(group);
  }

  /** The file has nothing to do, or is not what it was. */
  remove(file: LogFile): void {
    const name = this.#expected.get(file) ?? file.memory?.group;
    this.#expected.delete(file);
    const group = name === undefined ? undefined : this.#groups.get(name);
    if (!group) return;
    group.remove(file);
    // What waited for this file goes on.
    if (group.empty) this.#forget(group);
    else this.wake(group);
  }

  wake(group: Group): void {
    this.#sleeping.delete(group);
    this.#ring.add(group);
  }

  wakeAll(): void {
    for (const group of this.#groups.values()) this.wake(group);
  }

  /** The group whose turn it is, which goes to the end of the ring. */
  next(): Group | undefined {
    for (const group of this.#ring) {
      this.#ring.delete(group);
      this.#ring.add(group);
      return group;
    }
    return undefined;
  }

  /** At most one group has something to do. */
  get single(): boolean {
    return this.#ring.size <= 1;
  }

  /** Before all others. */
  first(name: string): Group | undefined {
    const group = this.#groups.get(name);
    return group && this.#ring.has(group) ? group : undefined;
  }

  sleep(group: Group, until: number | undefined): void {
    this.#ring.delete(group);
    group.wakeAt = until;
    if (until !== undefined) this.#sleeping.add(group);
  }

  /** Wakes the groups whose time has come; answers when the next one's comes. */
  wakeDue(now: number): number | undefined {
    let next: number | undefined;
    for (const group of this.#sleeping) {
      if (group.wakeAt! <= now) this.wake(group);
      else next = earliest(next, group.wakeAt);
    }
    return next;
  }

  #forget(group: Group): void {
    this.#ring.delete(group);
    this.#sleeping.delete(group);
    this.#groups.delete(group.name);
  }
}
