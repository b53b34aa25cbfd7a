import type { AgentEvent } from "../../agent/api/events.ts";
import { openQueue, type QueueOptions } from "../../agent/queue/queue.ts";
import type { Block, Queue, QueueReader } from "../../agent/queue/types.ts";
import { batchOf } from "../fakes/batch.ts";
import { seeded } from "../fakes/random.ts";
import { SimDisk } from "./disk-queue-sim.ts";

export type Command =
  | { do: "append"; lines: number; width: number }
  | { do: "flush" }
  | { do: "read"; blocks: number; part: number; sync: boolean }
  | { do: "close" }
  | { do: "crash"; how: "kill" | "power"; after: number };

const ALIASES = ["even", "all"] as const;

/**
 * A source of numbered lines (as a file is), the queue, and two readers: one wants every other block (by tag), one all. The position is
 * the number of the next line. Beside them stand plain numbers: what was written, flushed, and committed.
 */
export class Model {
  readonly events: AgentEvent[] = [];
  disk = new SimDisk();
  queue!: Queue;
  readers!: QueueReader[];
  /** Number of the next line to append; lines of an unfinished append do not count. */
  written = 0;
  flushed = 0;
  /** Per reader: lines settled, and of those the durably settled. */
  settled = [0, 0];
  durablySettled = [0, 0];
  /** First line and size of every block ever, by first line: what the readers must see. */
  #blocks: { first: number; lines: number }[] = [];
  /** Lines taken and not settled, per reader. */
  #taken: Block[][] = [[], []];
  readonly #random: () => number;
  readonly #options: Partial<QueueOptions>;
  #time = 0;

  constructor(seed: number, options: Partial<QueueOptions> = {}) {
    this.#random = seeded(seed);
    this.disk.random = this.#random;
    this.#options = options;
  }

  async open(): Promise<void> {
    this.queue = await openQueue({
      dir: "/q",
      maxBytes: 1 << 24,
      segmentBytes: 40 * 1024,
      reserveBytes: 0,
      compression: "none",
      clock: { now: () => ++this.#time, monotonic: () => this.#time },
      emit: (event) => void this.events.push(event),
      disk: this.disk,
      retryMs: 1,
      ...this.#options,
    });
    this.readers = [];
    for (const alias of ALIASES) {
      const match = (tag: string) => alias === "all" || tag === "even";
      this.readers.push(
        await this.queue.openReader({ alias, match, start: "oldest", onFull: "block", onDrop: () => undefined }),
      );
    }
    this.#taken = [[], []];
  }

  get position(): number {
    return Number(this.queue.positions.get("tail")?.get("file") ?? 0);
  }

  /** Blocks reader `r` wants, of the lines before `to`. */
  wanted(r: number, to: number): number[] {
    const lines: number[] = [];
    for (const block of this.#blocks) {
      if (block.first >= to || (ALIASES[r] === "even" && block.first % 2 !== 0)) continue;
      for (let i = 0; i < block.lines; i++) lines.push(block.first + i);
    }
    return lines;
  }

  async run(command: Command): Promise<void> {
    switch (command.do) {
      case "append":
        return this.#append(command.lines, command.width);
      case "flush":
        await this.queue.flush();
        this.flushed = this.written;
        return;
      case "read":
        for (const r of [0, 1]) await this.#read(r, command);
        return;
      case "close":
        await this.queue.close();
        this.flushed = this.written;
        this.durablySettled = [...this.settled];
        await this.open();
        this.check("kill");
        return;
      case "crash":
        return this.#crash(command.how, command.after);
    }
  }

  async #append(lines: number, width: number): Promise<void> {
    const first = this.written;
    const texts = Array.from({ length: lines }, (_, i) => `${first + i} ${"x".repeat(width)}`);
    const tag = first % 2 === 0 ? "even" : "odd";
    const value = String(first + lines);
    const batch = batchOf(texts, { tag, firstOffset: first, positions: [{ key: "file", value }], release: () => {} });
    this.#blocks = this.#blocks.filter((block) => block.first < first);
    this.#blocks.push({ first, lines });
    await this.queue.append(batch, { read: lines, created: 0, filtered: 0, states: [] });
    this.written = first + lines;
  }

  async #read(r: number, how: { blocks: number; part: number; sync: boolean }): Promise<void> {
    const reader = this.readers[r]!;
    const taken = this.#taken[r]!;
    for (let i = 0; i < how.blocks; i++) {
      const block = await reader.next();
      if (!block) break;
      taken.push(block);
    }
    const last = taken.pop();
    if (!last) return;
    const begin = (block: Block) => (block.seq === reader.cursor.seq ? reader.cursor.index : 0);
    const index = Math.max(begin(last), Math.floor(last.batch.count * how.part));
    const expected = this.wanted(r, Number.POSITIVE_INFINITY);
    let at = this.settled[r]!;
    for (const block of [...taken, last]) {
      const to = block === last ? index : block.batch.count;
      for (let i = begin(block); i < to; i++) {
        const line = Number.parseInt(block.batch.bytes(i).toString(), 10);
        if (line !== expected[at]) throw new Error(`reader ${r} got line ${line}, expected ${expected[at]}`);
        at++;
      }
    }
    const place = { seq: last.seq, index };
    await reader.commit(place, { settled: at }, { sync: how.sync });
    this.settled[r] = at;
    if (how.sync) this.durablySettled[r] = at;
    reader.seek(place);
    this.#taken[r] = [];
  }

  /** Stops in the middle of what follows, `after` changes from now. */
  async #crash(how: "kill" | "power", after: number): Promise<void> {
    this.disk.stopAfter = after;
    this.disk.wholePages = how === "kill";
    const stopped = this.disk.whenStopped().then(() => "stopped" as const);
    for (let i = 0; i <= after && !this.disk.stopped; i++) {
      const steps: Command[] = [
        { do: "append", lines: 1 + (i % 3), width: 900 * (i % 9) },
        { do: "read", blocks: 2, part: 0.5, sync: i % 2 === 0 },
      ];
      for (const step of steps) if ((await Promise.race([this.run(step), stopped])) === "stopped") break;
    }
    this.disk = this.disk.restart(how, this.#random);
    this.disk.random = this.#random;
    await this.open();
    this.check(how);
  }

  /** What must hold at every start. An append or commit that had not returned may have happened or not. */
  check(how: "kill" | "power"): void {
    const { position } = this;
    const least = how === "kill" ? this.written : this.flushed;
    const fail = (what: string) => {
      throw new Error(`${what} (position ${position}, written ${this.written}, flushed ${this.flushed})`);
    };
    if (position < least) fail("the queue forgot lines");
    this.written = position;
    this.flushed = Math.max(this.flushed, how === "power" ? position : this.flushed);
    this.#blocks = this.#blocks.filter((block) => block.first < position);
    const last = this.#blocks.at(-1);
    if (last && last.first + last.lines !== position) fail("the position is inside of a block");
    for (const [r, reader] of this.readers.entries()) {
      const settled = (reader.data as { settled: number } | undefined)?.settled ?? 0;
      const atLeast = how === "kill" ? this.settled[r]! : this.durablySettled[r]!;
      if (settled < atLeast) fail(`reader ${r} fell back to ${settled} from ${atLeast}`);
      this.settled[r] = settled;
      if (how === "power") this.durablySettled[r] = settled;
      const queued = this.wanted(r, position).length - settled;
      if (reader.backlog().records !== queued) {
        fail(`reader ${r} has a backlog of ${reader.backlog().records}, it should be ${queued}`);
      }
    }
    const bad = this.events.filter(({ is }) => is === "queue_damaged" || is === "lost" || is === "disk_error");
    if (bad.length > 0) fail(JSON.stringify(bad));
  }

  /** Everything left, in order, and nothing else. */
  async finish(): Promise<void> {
    await this.run({ do: "flush" });
    await this.run({ do: "read", blocks: Number.POSITIVE_INFINITY, part: 1, sync: true });
    for (const r of [0, 1]) {
      const all = this.wanted(r, this.written).length;
      if (this.settled[r] !== all) throw new Error(`reader ${r} settled ${this.settled[r]} of ${all}`);
      const { records } = this.readers[r]!.backlog();
      if (records !== 0) throw new Error(`reader ${r} keeps a backlog of ${records}`);
    }
    await this.queue.close();
  }
}
