import { createHash, randomBytes } from "node:crypto";
import { RecordBatch, type Source } from "../api/batch.ts";

/** Entries the agent itself writes: one a batch, with ids that no other run of it makes. */
export class OwnRecords {
  readonly #source: Source;
  #next = 0;

  constructor(dataDirId: string) {
    const run = `${dataDirId} ${randomBytes(16).toString("hex")}`;
    const id = createHash("sha256").update(run).digest("base64url").slice(0, 22);
    this.#source = { id, input: "agent", group: "agent" };
  }

  /** `now` is milliseconds since the epoch. */
  make(tag: string, entry: object, now: number): RecordBatch {
    const buffer = Buffer.from(JSON.stringify(entry));
    return new RecordBatch({
      buffer,
      starts: Uint32Array.of(0),
      ends: Uint32Array.of(buffer.length),
      offsets: Float64Array.of(this.#next++),
      count: 1,
      tag,
      source: this.#source,
      readTime: now,
      kind: "agent",
      lines: true,
    });
  }
}
