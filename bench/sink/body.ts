/** Bodies of requests, in memory that is used again: fresh pages for each would cost more than counting what is in them. */
import type { IncomingMessage } from "node:http";

const free: Buffer[] = [];
const SMALLEST = 1024 * 1024;

/** Hands the whole body to `use`; it is only valid until that is done. */
export function withBody(request: IncomingMessage, use: (body: Buffer) => Promise<void>): void {
  const length = Number(request.headers["content-length"] ?? 0);
  let buffer = taken(length);
  let used = 0;
  request.on("data", (chunk: Buffer) => {
    // Chunked: nobody knew its length.
    if (used + chunk.length > buffer.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (used + chunk.length));
      buffer.copy(larger, 0, 0, used);
      buffer = larger;
    }
    used += chunk.copy(buffer, used);
  });
  request.on("end", () => void use(buffer.subarray(0, used)).finally(() => free.push(buffer)));
}

function taken(length: number): Buffer {
  const at = free.findIndex((buffer) => buffer.length >= length);
  return at < 0 ? Buffer.allocUnsafeSlow(Math.max(SMALLEST, length)) : free.splice(at, 1)[0]!;
}
