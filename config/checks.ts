/** What no single schema can see: keys that fit together, tags that meet, filters in a good order. */
import { queueOptions, type ResolvedConfig, serviceOptions, tagMatcher } from "../agent/api/config.ts";
import { decodeKey, type Secret } from "../agent/api/options.ts";
import type { Kind } from "./entries.ts";
import type { Path } from "./problems.ts";
import { isRecord } from "./shape.ts";

export interface Report {
  /** `absent`: it is about something that is not there, and may only be unread after a syntax error. */
  error(path: Path, message: string, absent?: boolean): void;
  warn(path: Path, message: string): void;
}

/**
 * `given` is what the file says under `service`, right or wrong: each option is looked at that is right by itself, so that a mistake in
 * one does not hide another.
 */
export function checkService(given: unknown, report: Report): void {
  const service = isRecord(given) ? given : {};
  checkEncryption(isRecord(service.queue) ? service.queue : {}, report);
  const http = isRecord(service.http) ? service.http : {};
  const { listen, probe_listen } = serviceOptions.unwrap().shape.http.unwrap().shape;
  const main = listen.safeParse(http.listen).data;
  if (main !== undefined && checkPort(main, "listen", report) && !isLoopback(hostOf(main)) && http.tls === undefined) {
    const path = ["service", "http", "listen"];
    report.error(
      path,
      "is open to other machines, so it needs service.http.tls (cert and key): the token would pass in clear text. For health checks " +
        "and metrics alone there is service.http.probe_listen",
    );
  }
  const probes = probe_listen.safeParse(http.probe_listen).data;
  if (probes !== undefined) checkPort(probes, "probe_listen", report);
}

function hostOf(listen: string): string {
  return listen.slice(0, listen.lastIndexOf(":"));
}

function checkPort(listen: string, option: string, { error }: Report): boolean {
  if (Number(listen.slice(listen.lastIndexOf(":") + 1)) <= 65_535) return true;
  error(["service", "http", option], "the port must be at most 65535");
  return false;
}

function checkEncryption(queue: Record<string, unknown>, { error }: Report): void {
  const { shape } = queueOptions.unwrap();
  if (shape.encrypt.safeParse(queue.encrypt).data === true && queue.key === undefined) {
    error(
      ["service", "queue", "encrypt"],
      "needs service.queue.key: 32 bytes as 64 hex digits or base64, such as " +
        "key: ${file:/run/secrets/audit-agent-key} (`openssl rand -base64 32` makes one)",
      true,
    );
  }
  const message = "must be 32 bytes, written as 64 hex digits or as base64 (`openssl rand -base64 32` makes one)";
  const key = shape.key.safeParse(queue.key).data;
  if (key !== undefined && !isKey(key)) error(["service", "queue", "key"], message);
  const previous = shape.previous_keys.safeParse(queue.previous_keys).data ?? [];
  for (const [index, one] of previous.entries()) {
    if (!isKey(one)) error(["service", "queue", "previous_keys", index], message);
  }
}

/** Whether a host, with brackets or without, is this machine and nothing else. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name.endsWith(".localhost") || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
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
  for (const { alias, options } of config.outputs) {
    if (!isRecord(options.tls) || options.tls.verify !== false) continue;
    report.warn("output", alias, "tls.verify is off: anybody in between can read the log, alter it, and keep it");
  }
  const tags = [...new Set(config.inputs.map((input) => input.tag))];
  if (tags.length === 0) return;
  const known = tags.length === 1 ? `the only tag is ${tags[0]}` : `the inputs' tags are ${tags.join(", ")}`;
  const made: string[] = [];
  for (const filter of config.filters) {
    if (![...tags, ...made].some(tagMatcher(filter.match)))
      report.warn("filter", filter.alias, `match fits no tag; ${known}`);
    made.push(...(filter.definition.creates ?? []));
  }
  const all = [...tags, ...config.filters.flatMap(({ definition }) => definition.creates ?? [])];
  for (const output of config.outputs) {
    if (!all.some(tagMatcher(output.match))) {
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
  checkEvidence(config, tags, report);
}

/** What filters tell is no part of any chain: in the midst of its originals it looks like an entry without a hash. */
function checkEvidence(
  { filters, outputs }: Pick<ResolvedConfig, "filters" | "outputs">,
  tags: readonly string[],
  report: FlowReport,
): void {
  const made = filters.flatMap(({ definition }) => definition.creates ?? []);
  for (const { alias, definition, match, options } of outputs) {
    if (definition.name !== "file" || options.format !== "original" || String(options.path).includes("$TAG")) continue;
    const takes = tagMatcher(match);
    const mixed = made.find(takes);
    if (mixed === undefined || !tags.some(takes)) continue;
    const message = `puts the tag ${mixed} among the originals, whose chains then look broken: put $TAG into path, or let match leave it out`;
    report.warn("output", alias, message);
  }
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
