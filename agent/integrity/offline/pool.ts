import { Worker } from "node:worker_threads";
import type { Scheme } from "../scheme.ts";
import type { Ranges } from "./check.ts";
import { InThisThread } from "./inline.ts";
import { CannotCheck, reasonOf } from "./problem.ts";
import type { Limits, Range, Scanned } from "./scan.ts";
import type { FileText, Text } from "./text.ts";
import { type Answer, type Task, WORKER, type WorkerSetup } from "./worker.ts";

/** So many ranges wait in front of each thread, so that none has to wait for this one. */
const PER_THREAD = 2;

interface Waiting {
  readonly worker: Worker;
  resolve(scanned: Scanned): void;
  reject(error: Error): void;
}

/** Checks ranges in other threads. */
export class Pool implements Ranges {
  readonly depth: number;
  readonly #here: InThisThread;
  /** With the number of ranges each has to do. */
  readonly #workers = new Map<Worker, number>();
  readonly #waiting = new Map<number, Waiting>();
  #id = 0;

  constructor(threads: number, limits: Limits) {
    this.depth = threads * PER_THREAD;
    this.#here = new InThisThread(limits);
    const workerData: WorkerSetup = { scansRanges: true, limits };
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(WORKER, { workerData });
      worker.on("message", (answer: Answer) => this.#answered(answer));
      worker.on("error", (error) => this.#failed(worker, reasonOf(error)));
      this.#workers.set(worker, 0);
    }
  }

  async scan(scheme: Scheme, text: FileText, range: Range): Promise<Scanned> {
    if (this.#workers.size === 0) throw new CannotCheck("every thread failed");
    const [worker, load] = [...this.#workers].reduce((least, one) => (one[1] < least[1] ? one : least));
    this.#workers.set(worker, load + 1);
    const id = this.#id++;
    const fd = text.pin();
    try {
      return await new Promise<Scanned>((resolve, reject) => {
        this.#waiting.set(id, { worker, resolve, reject });
        worker.postMessage({ id, scheme, path: text.path, fd, size: text.end, range } satisfies Task);
      });
    } finally {
      text.unpin();
    }
  }

  scanHere(scheme: Scheme, text: Text, range: Range): Scanned {
    return this.#here.scanHere(scheme, text, range);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers.keys()].map((worker) => worker.terminate()));
  }

  #answered(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.id);
    this.#workers.set(waiting.worker, this.#workers.get(waiting.worker)! - 1);
    if ("scanned" in answer) waiting.resolve(answer.scanned);
    else waiting.reject(new CannotCheck(answer.problem));
  }

  /** It ran out of memory, say. */
  #failed(worker: Worker, why: string): void {
    this.#workers.delete(worker);
    for (const [id, waiting] of this.#waiting) {
      if (waiting.worker !== worker) continue;
      this.#waiting.delete(id);
      waiting.reject(new CannotCheck(`a thread failed: ${why}`));
    }
  }
}
