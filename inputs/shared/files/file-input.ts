/** The file engine: follows files through rotation, truncation and deletion, and yields what their writers finished. */
import { realpathSync } from "node:fs";
import { type Position, RecordBatch } from "../../../agent/api/batch.ts";
import type { InputContext } from "../../../agent/api/context.ts";
import type { Input, InputLag } from "../../../agent/api/input.ts";
import { memoryPool } from "../../../agent/api/memory-pool.ts";
import { createFramer } from "../parse/framer.ts";
import { Catalog } from "./catalog.ts";
import { Discovery } from "./discovery.ts";
import { expandHome, Finder } from "./find.ts";
import { Holder, MovedError } from "./holder.ts";
import { Lag } from "./lag.ts";
import type { LogFile, Step } from "./log-file.ts";
import { Matcher } from "./match.ts";
import { Notices } from "./notices.ts";
import { Observer } from "./observer.ts";
import type { FileOptions } from "./options.ts";
import { type Memory, STARTED_KEY, save } from "./position.ts";
import { type Group, type Mode, Schedule } from "./schedule.ts";
import { nodeSystem, type System } from "./system.ts";

/** Positions of other files that ride along with a batch, and that a batch without records carries. */
const RIDERS = 64;
const ALONE = 256;
/** Remembered positions of this run, by which a copy made a while ago is recognised. */
const MARKS = 64;

/** A smaller buffer may be a part of Node's pool, and freeing it early would gain nothing. */
const OWNED_BYTES = Math.max(64 * 1024, Buffer.poolSize);
const giveBack = (memory: ArrayBuffer) => memoryPool.give(memory);

/**
 * That a file is done with, or is a copy of another, is never said before what led to it is stored: a copy is passed over because its
 * original is read.
 */
const isUnread = (memory: Memory) => !memory.skipped && !memory.finished && memory.offset < memory.size;

/** Links are resolved before they are compared, so the roots must be too. */
function realRoot(path: string): string {
  try {
    return realpathSync(expandHome(path));
  } catch {
    return path;
  }
}

export class FileInput implements Input {
  readonly #context: InputContext;
  readonly #options: FileOptions;
  readonly #catalog: Catalog;
  readonly #schedule = new Schedule();
  readonly #lag: Lag;
  readonly #discovery: Discovery;
  readonly #matcher: Matcher;
  readonly #observer: Observer;
  readonly #notices: Notices;
  #mode: Mode;
  #swept = false;
  #closed = false;
  #startedSaid: boolean;
  /** File whose batch is on its way into the queue. */
  #given: LogFile | undefined;
  /** A batch is out, and its place in the queue not sure. */
  #waits = false;
  /** Where what it is (it may be emptied meanwhile) was before the batch, and whether this was never said. */
  #before: { readonly memory: Memory; readonly at: Pick<Memory, "offset" | "proof" | "finished" | "gone"> } | undefined;
  #untold = false;
  /** Positions of others that go with the batch, as long as they are nowhere else. */
  #riders: Position[] = [];
  /** Keys of what was stored while the batch waits. */
  #early: string[] = [];

  constructor(given: FileOptions, context: InputContext, system: System = nodeSystem) {
    const options = { ...given, allowedRoots: given.allowedRoots.map(realRoot) };
    this.#context = context;
    this.#notices = new Notices(context);
    this.#options = options;
    this.#mode = context.once ? "once" : "run";
    this.#catalog = new Catalog(context, options);
    this.#catalog.onDetach = (file) => {
      this.#schedule.remove(file);
      this.#lag.forget(file);
    };
    this.#lag = new Lag(this.#catalog, context.clock);
    this.#schedule.onAdd = (file) => this.#lag.grew(file);
    this.#startedSaid = context.positions.has(STARTED_KEY);
    const finder = new Finder(options, system);
    const holder = new Holder(context, options, system);
    this.#matcher = new Matcher(context, options, this.#catalog, holder);
    this.#matcher.onChanged = (file) => this.#schedule.add(file);
    const parts = { catalog: this.#catalog, schedule: this.#schedule, finder, matcher: this.#matcher, holder, system };
    this.#discovery = new Discovery(context, options, parts);
    this.#observer = new Observer(
      context,
      options,
      { finder, system },
      {
        everything: () => this.#discovery.lookAtAll(),
        some: (paths) => this.#discovery.lookAt(paths),
        waiting: () => this.#catalog.newcomers.size > 0,
      },
    );
  }

  async *read(): AsyncGenerator<RecordBatch> {
    try {
      await this.#observer.start();
      while (!this.#closed) {
        const batch = await this.#next();
        if (batch) {
          this.#waits = true;
          yield batch;
          this.#waits = false;
          this.#consumed();
        } else if (await this.#over()) {
          return;
        }
      }
    } finally {
      await this.close();
    }
  }

  stop(): void {
    if (this.#mode !== "run") return;
    this.#mode = "stop";
    this.#observer.wake();
  }

  vanishing(): boolean {
    if (this.#given?.deleted) return true;
    for (const file of this.#catalog.deleted) {
      if (file.compressed ? !file.finished : file.size > file.consumed) return true;
    }
    return false;
  }

  meanwhile(limit: number): Position[] {
    // While a batch is being made, what changed belongs to it.
    if (!this.#waits) return [];
    const unread = (memory: Memory | undefined) => memory !== undefined && isUnread(memory);
    this.#riders = this.#riders.filter(({ key }) => unread(this.#catalog.memories.get(key)));
    const positions = this.#riders.splice(0, limit - 1);
    const given = this.#given && this.#before;
    const tellGiven = given && (this.#untold || this.#catalog.isChanged(given.memory));
    positions.push(...this.#catalog.takeChanges(limit - 1 - positions.length, given?.memory, unread));
    if (tellGiven) positions.push(save({ ...given.memory, ...given.at }));
    this.#untold = false;
    for (const { key } of positions) this.#early.push(key);
    return positions;
  }

  lostBytes(): number {
    return this.#catalog.lostBytes;
  }

  lag(limit: number): InputLag {
    return this.#lag.ask(limit);
  }

  trouble(): { since: number; reason: string } | undefined {
    return this.#discovery.holder.trouble;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#observer.wake();
    await this.#observer.close();
    for (const file of [...this.#catalog.byInode.values(), ...this.#catalog.deleted]) file.close();
  }

  /** Nothing to read now. True when there never will be; else waits until there may be. */
  async #over(): Promise<boolean> {
    memoryPool.clear();
    if (this.#mode === "once") return true;
    if (this.#mode === "stop") {
      if (this.#swept) return true;
      await this.#sweep();
      return false;
    }
    await this.#observer.sleep(this.#schedule.wakeDue(this.#context.clock.monotonic()));
    return false;
  }

  /** After a stop: what is there now is read, what comes after it is not. */
  async #sweep(): Promise<void> {
    await this.#observer.lookNow();
    await this.#discovery.refreshAll();
    for (const file of this.#catalog.byInode.values()) if (!file.compressed) file.limit = file.size;
    this.#swept = true;
    this.#schedule.wakeAll();
  }

  #consumed(): void {
    const file = this.#given;
    if (file?.memory) file.consumed = file.memory.offset;
    if (file) {
      this.#discovery.holder.rest(file);
      this.#lag.moved(file);
    }
    this.#given = undefined;
    this.#riders = [];
    // The batch, stored after them, may know less.
    for (const key of this.#early) this.#catalog.changedKey(key);
    this.#early = [];
  }

  async #next(): Promise<RecordBatch | undefined> {
    if (this.#mode === "stop" && !this.#swept) await this.#sweep();
    for (;;) {
      if (this.#closed) return undefined;
      this.#schedule.wakeDue(this.#context.clock.monotonic());
      const group = this.#vanishingGroup() ?? this.#schedule.next();
      if (!group) return this.#positionsOnly();
      const batch = await this.#turn(group);
      if (batch) return batch;
    }
  }

  /** What only this process still holds goes first: a full queue takes it into its reserve. */
  #vanishingGroup(): Group | undefined {
    for (const file of this.#catalog.deleted) {
      const group = file.memory && file.readable ? this.#schedule.first(file.memory.group) : undefined;
      if (group) return group;
    }
    return undefined;
  }

  async #turn(group: Group): Promise<RecordBatch | undefined> {
    const turn = group.turn(this.#context.clock.monotonic(), this.#options.rotateWait, this.#mode);
    if (turn.is === "wait") {
      this.#schedule.sleep(group, turn.until);
      return undefined;
    }
    const { file } = turn;
    try {
      await this.#discovery.holder.open(file);
      return turn.is === "read" ? await this.#readFile(file) : await this.#finish(file, group, turn.flush);
    } catch (error) {
      this.#failed(file, error);
      return undefined;
    }
  }

  async #readFile(file: LogFile): Promise<RecordBatch | undefined> {
    const step = await file.step(() => createFramer(this.#options), this.#options.chunkBytes);
    if (step.is === "broken") {
      await this.#broke(file, step.reason);
      return undefined;
    }
    file.unproved = undefined;
    if (file.compressed && file.damage !== undefined) this.#notices.damaged(file);
    if (step.is === "end" || !file.memory) {
      this.#discovery.holder.rest(file);
      return undefined;
    }
    file.holdingSince = undefined;
    if (file.finished && step.framed.count > 0) this.#notices.late(file);
    return this.#batch(file, file.memory, step);
  }

  /** The file is complete: what is left of it, and the news that nothing more will come. */
  async #finish(file: LogFile, group: Group, flush: boolean): Promise<RecordBatch | undefined> {
    const memory = file.memory!;
    if ((await file.refresh(this.#context.clock.monotonic())) && file.readable) return undefined;
    if (flush) {
      // The framer may want the rest of an unfinished record once more before it gives it up.
      for (let next = -1; !file.drained && next !== file.position; ) {
        next = file.position;
        const step = await file.step(() => createFramer(this.#options), this.#options.chunkBytes);
        if (step.is === "broken") {
          await this.#broke(file, step.reason);
          return undefined;
        }
        if (step.is === "records" && step.framed.count > 0) return this.#batch(file, memory, step);
      }
    }
    const rest: Step = flush ? file.flush() : { is: "end" };
    if (rest.is === "records") this.#moveTo(memory, rest);
    file.flushed = true;
    const newest = group.newest === file && !file.deleted && !file.strayed && !file.compressed;
    if (!(this.#mode === "once" && newest && !memory.finished)) this.#finished(file, memory, flush);
    await this.#discovery.holder.refill();
    if (!flush) group.changed();
    return rest.is === "records" ? this.#batch(file, memory, rest) : undefined;
  }

  #finished(file: LogFile, memory: Memory, flush: boolean): void {
    const before = memory.finished;
    memory.finished = true;
    memory.size = file.size;
    memory.mtime = file.mtime;
    this.#catalog.changed(memory);
    if (!before) this.#notices.say(file, "finished");
    // What was not flushed waits for its newline.
    if (!flush) return;
    this.#schedule.remove(file);
    if (file.deleted || file.strayed) {
      this.#catalog.drop(file);
      this.#discovery.gone(memory);
    } else {
      file.close();
    }
  }

  #batch(file: LogFile, memory: Memory, step: Extract<Step, { is: "records" }>): RecordBatch | undefined {
    const { framed } = step;
    this.#moveTo(memory, step);
    if (framed.count === 0) {
      file.consumed = memory.offset;
      return undefined;
    }
    this.#notices.cut(file, framed);
    this.#given = file;
    // For one file at a time only, or memory would grow with the number of files.
    if (this.#schedule.single) file.readAhead(this.#options.chunkBytes);
    const riders = this.#changes(RIDERS, memory);
    this.#riders = [...riders];
    return new RecordBatch({
      ...framed,
      tag: this.#context.tag,
      source: memory.source,
      readTime: this.#context.clock.now(),
      positions: [save(memory), ...riders],
      release: file.compressed || !framed.lines || framed.buffer.length < OWNED_BYTES ? undefined : giveBack,
    });
  }

  #moveTo(memory: Memory, { framed, proof }: Extract<Step, { is: "records" }>): void {
    if (framed.resume === memory.offset) return;
    const { offset, proof: before, finished, gone } = memory;
    this.#before = { memory, at: { offset, proof: before, finished, gone } };
    this.#untold = this.#catalog.isChanged(memory);
    memory.offset = framed.resume;
    memory.proof = proof;
    memory.marks.push({ offset: framed.resume, proof });
    if (memory.marks.length > MARKS) memory.marks.shift();
    this.#catalog.changed(memory);
  }

  /** News of files without new records, in a batch of their own. */
  #positionsOnly(): RecordBatch | undefined {
    const positions = this.#changes(ALONE);
    if (positions.length === 0) return undefined;
    this.#riders = [...positions];
    const { alias, tag, clock } = this.#context;
    return RecordBatch.ofPositions(positions, { tag, input: alias, readTime: clock.now() });
  }

  #changes(limit: number, except?: Memory): Position[] {
    const positions = this.#catalog.takeChanges(limit, except);
    if (!this.#startedSaid) {
      this.#startedSaid = true;
      positions.push({ key: STARTED_KEY, value: JSON.stringify({ v: 1, at: this.#context.clock.now() }) });
    }
    return positions;
  }

  async #broke(file: LogFile, reason: string): Promise<void> {
    this.#schedule.remove(file);
    await this.#matcher.broke(file, reason);
    if (file.memory) this.#schedule.add(file);
    // Copies of what it was are looked for before it is known again.
    else await this.#observer.lookNow();
  }

  #failed(file: LogFile, error: unknown): void {
    if (this.#closed) return;
    this.#discovery.holder.failed(file.path, error);
    this.#catalog.drop(file);
    // Any other fault is looked into again by the next rescan.
    if (error instanceof MovedError) this.#observer.lookSoon();
  }
}
