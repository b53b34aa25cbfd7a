/** What runs in each other thread: ranges come in, what is known of them goes out. */
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Scheme } from "../scheme.ts";
import { InThisThread } from "./inline.ts";
import type { Limits, Range, Scanned } from "./scan.ts";
import { OpenText } from "./text.ts";

/** This module's own address: it is what another thread begins with, in the source as in the bundle. */
export const WORKER = new URL(import.meta.url);

export interface Task {
  readonly id: number;
  readonly scheme: Scheme;
  readonly path: string;
  /** Threads of one process have their open files in common. */
  readonly fd: number;
  readonly size: number;
  readonly range: Range;
}

export type Answer =
  | { readonly id: number; readonly scanned: Scanned }
  | { readonly id: number; readonly problem: string };

export interface WorkerSetup {
  readonly scansRanges: true;
  readonly limits: Limits;
}

function serve({ limits }: WorkerSetup): void {
  const ranges = new InThisThread(limits);
  let scheme: Scheme | undefined;
  parentPort!.on("message", (task: Task) => {
    // A copy comes with every task; a scanner is kept as long as it stays the same scheme.
    if (JSON.stringify(scheme) !== JSON.stringify(task.scheme)) scheme = task.scheme;
    try {
      const scanned = ranges.scanHere(scheme!, new OpenText(task.path, task.fd, task.size), task.range);
      parentPort!.postMessage({ id: task.id, scanned } satisfies Answer);
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      parentPort!.postMessage({ id: task.id, problem } satisfies Answer);
    }
  });
}

const setup = workerData as Partial<WorkerSetup> | null;
if (!isMainThread && setup?.scansRanges === true) serve(setup as WorkerSetup);
