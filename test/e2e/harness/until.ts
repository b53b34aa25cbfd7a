import { setTimeout as delay } from "node:timers/promises";

/** Waits for a condition; `check` answers undefined or false until it holds. Fails with what was waited for, and `context` if given. */
export async function until<T>(
  what: string,
  check: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 20_000, context = () => "" }: { timeoutMs?: number; context?: () => string } = {},
): Promise<T> {
  const from = performance.now();
  for (;;) {
    const found = await check();
    if (found !== undefined && found !== false) return found;
    if (performance.now() - from > timeoutMs)
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}\n${context()}`);
    await delay(10);
  }
}
