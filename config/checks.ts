/** What no single schema can see: keys that fit together, tags that meet, filters in a good order. */
import { type ResolvedConfig, type ServiceOptions, tagMatcher } from "../agent/api/config.ts";
import { decodeKey, type Secret } from "../agent/api/options.ts";
import type { Kind } from "./entries.ts";
import type { Path } from "./problems.ts";

export function checkEncryption(service: ServiceOptions, error: (path: Path, message: string) => void): void {
  const { encrypt, key, previous_keys } = service.queue;
  if (encrypt && key === undefined) {
    error(
      ["service", "queue", "encrypt"],
      "needs service.queue.key: 32 bytes as 64 hex digits or base64, such as " +
        "key: ${file:/run/secrets/audit-agent-key} (`openssl rand -base64 32` makes one)",
    );
  }
  const message = "must be 32 bytes, written as 64 hex digits or as base64 (`openssl rand -base64 32` makes one)";
  if (key !== undefined && !isKey(key)) error(["service", "queue", "key"], message);
  for (const [index, previous] of previous_keys.entries()) {
    if (!isKey(previous)) error(["service", "queue", "previous_keys", index], message);
  }
}

function isKey(secret: Secret): boolean {
  let text: string;
  try {
    text = secret.reveal().trim();
  } catch {
    return false;
  }
  // A passphrase of the right length would decode to something too: only what is plainly hex or base64 will do.
  return /^([0-9a-f]{64}|[A-Za-z0-9+/_-]{43}=?)$/i.test(text) && decodeKey(text) !== undefined;
}

export interface FlowReport {
  warn(kind: Kind, alias: string, message: string): void;
}

/** Warnings about how the enabled parts meet. */
export function checkFlow(config: Pick<ResolvedConfig, "inputs" | "filters" | "outputs">, report: FlowReport): void {
  const tags = config.inputs.map((input) => input.tag);
  if (tags.length === 0) return;
  const known = `the inputs' tags are ${tags.join(", ")}`;
  for (const filter of config.filters) {
    if (!tags.some(tagMatcher(filter.match))) report.warn("filter", filter.alias, `match fits no tag; ${known}`);
  }
  for (const output of config.outputs) {
    if (!tags.some(tagMatcher(output.match))) {
      report.warn("output", output.alias, `match fits no tag, so nothing will arrive here; ${known}`);
    }
  }
  const taken = config.outputs.map((output) => tagMatcher(output.match));
  for (const input of config.inputs) {
    if (taken.length > 0 && !taken.some((takes) => takes(input.tag))) {
      report.warn("input", input.alias, `no output takes the tag ${input.tag}: what it reads goes nowhere`);
    }
  }
  checkChainOrder(config, tags, report);
}

/** A chain can only be verified whole. */
function checkChainOrder(config: Pick<ResolvedConfig, "filters">, tags: readonly string[], report: FlowReport): void {
  for (const [index, chain] of config.filters.entries()) {
    if (chain.definition.name !== "chain") continue;
    const checked = tagMatcher(chain.match);
    for (const before of config.filters.slice(0, index)) {
      if (!before.definition.drops) continue;
      const drops = tagMatcher(before.match);
      if (!tags.some((tag) => checked(tag) && drops(tag))) continue;
      report.warn(
        "filter",
        before.alias,
        `may drop entries before ${chain.alias} has verified their chain, which will then look broken: put ${chain.alias} first`,
      );
    }
  }
}
