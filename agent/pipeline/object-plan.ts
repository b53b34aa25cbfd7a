import { createHash } from "node:crypto";
import type { RecordBatch } from "../api/batch.ts";
import type { Place } from "../queue/types.ts";
import { precedes, type StoredLedger } from "./lane-ledger.ts";
import type { Group } from "./objects.ts";

/** A plan as the cursor record keeps it. */
export interface StoredPlan {
  readonly partition: string;
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly records: number;
  readonly bytes: number;
  readonly first: string;
  readonly last: string;
  readonly note: string;
  readonly youngest: number;
}

/**
 * The object lane's part of the cursor record. It has to fit the queue's MAX_CURSOR_DATA (3.5 KiB): at most MOST_MARKS + 32 marks of up to
 * 32 bytes, a partition and a note of up to MOST_TEXT bytes each, and about 500 bytes for the rest.
 */
export interface StoredObjects {
  readonly ledger: StoredLedger;
  readonly skipping?: boolean;
  /** Hash of what decides which record belongs to which object: under another, plan and marks mean nothing. */
  readonly options: string;
  /** The write under way, stored before it began. */
  readonly plan?: StoredPlan;
  /** Partitions settled beyond the cursor: `key seq index`, the numbers to base 36. */
  readonly done: readonly string[];
}

/** With more partitions settled beyond the cursor than this, what holds the cursor is written early. */
export const MOST_MARKS = 24;

/** The most bytes of a partition, and of a note, as JSON. */
export const MOST_TEXT = 600;

export function partitionKey(partition: string): string {
  return createHash("sha256").update(partition).digest("base64url").slice(0, 12);
}

/** A partition as the lane uses it: what an output says, cut (and told apart by a hash) where that is longer than the contract allows. */
export function partitionOf(
  output: { partition(batch: RecordBatch, index: number): string },
  batch: RecordBatch,
  index: number,
): string {
  const partition = output.partition(batch, index);
  // Six bytes are what one character takes at most as JSON: most partitions need no closer look.
  if (partition.length * 6 <= MOST_TEXT || sizeOf(partition) <= MOST_TEXT) return partition;
  return `${partition.slice(0, MOST_TEXT / 10)}~${partitionKey(partition)}`;
}

export function checkNote(note: string): string {
  if (sizeOf(note) > MOST_TEXT)
    throw new Error(`the output wants to note ${sizeOf(note)} bytes, the most is ${MOST_TEXT}`);
  return note;
}

const sizeOf = (text: string) => Buffer.byteLength(JSON.stringify(text));

/** Where each partition is settled up to, beyond the cursor. */
export class Marks extends Map<string, Place> {
  static read(stored: readonly string[]): Marks {
    const marks = new Marks();
    for (const mark of stored) {
      const [key, seq, index] = mark.split(" ");
      marks.set(key!, { seq: Number.parseInt(seq!, 36), index: Number.parseInt(index!, 36) });
    }
    return marks;
  }

  settled(partition: string, to: Place): void {
    this.set(partitionKey(partition), to);
  }

  /** Forgets what the cursor has passed. */
  passed(cursor: Place): void {
    for (const [key, place] of this) if (!precedes(cursor, place)) this.delete(key);
  }

  /** Whether some partition is settled beyond the place. */
  reachBeyond(place: Place): boolean {
    for (const mark of this.values()) if (precedes(place, mark)) return true;
    return false;
  }

  stored(cursor: Place): string[] {
    const done: string[] = [];
    for (const [key, { seq, index }] of this) {
      if (precedes(cursor, { seq, index })) done.push(`${key} ${seq.toString(36)} ${index.toString(36)}`);
    }
    return done;
  }
}

export function planOf(group: Group, note: string): StoredPlan {
  const { partition, records, bytes, first, last, from, to, youngest } = group;
  return {
    partition,
    from: [from.seq, from.index],
    to: [to.seq, to.index],
    records,
    bytes,
    first,
    last,
    note,
    youngest,
  };
}

/** The group of a plan made before the restart; which block holds how many of its records shows when they are met. */
export function groupOf(plan: StoredPlan): Group {
  const { partition, records, bytes, first, last, youngest } = plan;
  return {
    partition,
    from: { seq: plan.from[0], index: plan.from[1] },
    to: { seq: plan.to[0], index: plan.to[1] },
    records,
    bytes,
    first,
    last,
    youngest,
    openedAt: 0,
    perBlock: undefined,
  };
}
