/** How messages travel. */
import type { Failure } from "../../agent/api/output.ts";
import { tlsReason } from "../shared/tls.ts";

/** Messages of one write: message i is `bytes[ends[i-1], ends[i])`, ready for the wire. The bytes are the transport's until it says `done`. */
export interface Frames {
  readonly bytes: Buffer;
  readonly ends: readonly number[];
  /** Neither the transport nor the system will read the bytes again: their memory may be used anew. Where that is not certain, nobody says it. */
  readonly done?: () => void;
}

export type Failures = ReadonlyMap<number, Failure>;

export interface Transport {
  /**
   * Resolves when all of them are as far as this transport can promise, but for those it names, by their index; throws with a reason, and then
   * all are sent again.
   */
  send(frames: Frames, signal: AbortSignal): Promise<Failures>;
  /** Connects, and sends nothing. */
  probe(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export const CONNECT_MS = 10_000;

export const NONE: Failures = new Map();

/** Rejects when the signal aborts. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason instanceof Error ? signal.reason : new Error("stopped"));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  aborted.catch(() => undefined);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Node's message; for a host with several addresses it is empty. */
export function explain(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((e: Error) => e.message).join("; ");
  return tlsReason(error.message);
}
