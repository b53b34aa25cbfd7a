/** Follows the agent's events for as long as one wants: reconnects when the connection is lost, and says so. */
import { type Api, ApiError, sentenceOf } from "./api.ts";
import type { SseMessage } from "./sse.ts";

export type Connection =
  | { readonly is: "connecting" }
  | { readonly is: "live" }
  /** `retryAt` by the browser's monotonic clock, milliseconds. */
  | { readonly is: "lost"; readonly why: string; readonly retryAt: number }
  | { readonly is: "refused" };

export interface Follower {
  readonly on: (message: SseMessage) => void;
  readonly state: (connection: Connection) => void;
}

/** The agent says something each second. After so long without a word the connection is no better than none. */
const SILENCE_MS = 6000;
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 8000;

/** Returns what ends it. */
export function follow(api: Api, path: string, { on, state }: Follower): () => void {
  const ended = new AbortController();
  const wake = new EventTarget();
  const awaken = () => {
    if (document.visibilityState === "visible") wake.dispatchEvent(new Event("now"));
  };
  // Whoever comes back to the page should not wait for the rest of a delay.
  document.addEventListener("visibilitychange", awaken, { signal: ended.signal });
  window.addEventListener("online", awaken, { signal: ended.signal });

  const run = async () => {
    let failures = 0;
    state({ is: "connecting" });
    while (!ended.signal.aborted) {
      const attempt = new AbortController();
      const stop = () => attempt.abort();
      ended.signal.addEventListener("abort", stop, { once: true });
      let watchdog = setTimeout(stop, SILENCE_MS);
      let live = false;
      let why = "The agent ended the connection";
      try {
        const heard = () => {
          clearTimeout(watchdog);
          watchdog = setTimeout(stop, SILENCE_MS);
          if (live) return;
          live = true;
          failures = 0;
          state({ is: "live" });
        };
        await api.listen(path, attempt.signal, on, heard);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) {
          if (!ended.signal.aborted) state({ is: "refused" });
          return;
        }
        why = attempt.signal.aborted ? "The agent says nothing any more" : sentenceOf(error);
      } finally {
        clearTimeout(watchdog);
        ended.signal.removeEventListener("abort", stop);
      }
      if (ended.signal.aborted) return;
      const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures);
      failures++;
      state({ is: "lost", why, retryAt: performance.now() + delay });
      await pause(delay, wake, ended.signal);
    }
  };
  void run();
  return () => ended.abort();
}

function pause(ms: number, wake: EventTarget, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      wake.removeEventListener("now", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    wake.addEventListener("now", done);
    signal.addEventListener("abort", done);
  });
}
