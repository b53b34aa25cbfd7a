import type { ServiceOptions } from "../api/config.ts";
import { decodeKey } from "../api/options.ts";

/** The keys under which the queue and the dead letters may lie on disk; reading needs them even where `encrypt` is off by now. */
export function keysOf({ queue }: ServiceOptions): { key: Buffer | undefined; previousKeys: Buffer[] } {
  const decoded = [queue.key, ...queue.previous_keys].map((secret) => secret && decodeKey(secret.reveal()));
  const previous = decoded.slice(1).filter((key) => key !== undefined);
  const key = decoded[0];
  if (queue.encrypt || key === undefined) return { key, previousKeys: previous };
  return { key: undefined, previousKeys: [key, ...previous] };
}
