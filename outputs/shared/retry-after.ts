/** The longest pause a server can ask for at once; it may ask again. */
const MAX_PAUSE_MS = 3_600_000;

/** Milliseconds of a Retry-After header (RFC 9110, 10.2.3), seconds or a date; undefined where there is none that makes sense. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  // Date.parse takes almost anything for a date; an HTTP date begins with its weekday.
  const date = /^[A-Z][a-z]{2,8}, /.test(header) ? Date.parse(header) : Number.NaN;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1000 : date - nowMs;
  return ms >= 0 ? Math.min(ms, MAX_PAUSE_MS) : undefined;
}
