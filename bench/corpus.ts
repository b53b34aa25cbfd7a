import { createWriteStream } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { seededIntegers } from "../test/fakes/random.ts";
import { add, type Tally } from "./tally.ts";

export interface Corpus {
  readonly path: string;
  readonly entries: number;
  readonly bytes: number;
  /** All of them, and those that `level: info` and `exclude_events: [api.request]` leave. */
  readonly all: Tally;
  readonly kept: Tally;
  /** All of them by their lines' CRC-32, for destinations that get bytes and no ids. */
  readonly lines: Tally;
}

/** Rises when the entries change, so that no old file is taken for a new one. */
const VERSION = 3;
const CHUNK = 4 * 1024 * 1024;

const ACTORS = ["alice", "bob", "ci-bot", "admin", "agent-7", "Zoë"];
const RESOURCES = ["session", "project", "token", "policy", "task"];
const ACTIONS = ["create", "update", "delete", "start", "stop", "login", "read", "rotate"];
const EVENTS = ["session.start", "session.complete", "task.fail", "auth.token.create", "auth.fail", "api.request"];
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";

/** A file of so many audit entries of about 468 bytes, made once for a seed and kept in the temporary directory. */
export async function corpus(entries: number, seed: number): Promise<Corpus> {
  const folder = join(tmpdir(), `audit-agent-bench-${userInfo().username}`);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `audit-v${VERSION}-${seed}-${entries}.jsonl`);
  try {
    return JSON.parse(await readFile(`${path}.about`, "utf8")) as Corpus;
  } catch {
    return make(path, entries, seed);
  }
}

async function make(path: string, entries: number, seed: number): Promise<Corpus> {
  const next = seededIntegers(seed);
  const out = createWriteStream(`${path}.new`, { mode: 0o600 });
  const all: Tally = { entries: 0, checksum: 0 };
  const kept: Tally = { entries: 0, checksum: 0 };
  const lines: Tally = { entries: 0, checksum: 0 };
  let offset = 0;
  let buffer = Buffer.alloc(CHUNK + 64 * 1024);
  let used = 0;
  for (let i = 0; i < entries; i++) {
    const entry = next() % 10 < 7 ? dashboard(i, next) : wiki(i, next);
    add(all, offset);
    if (entry.level !== "debug" && entry.event !== "api.request") add(kept, offset);
    const length = buffer.write(`${entry.line}\n`, used);
    add(lines, crc32(buffer.subarray(used, used + length - 1)));
    used += length;
    offset += length;
    if (used < CHUNK && i < entries - 1) continue;
    // The stream keeps what it is given until it is written, so each chunk has a buffer of its own.
    if (!out.write(buffer.subarray(0, used))) await new Promise((resolve) => out.once("drain", resolve));
    buffer = Buffer.alloc(CHUNK + 64 * 1024);
    used = 0;
  }
  await new Promise<void>((resolve, reject) => out.end((error?: Error | null) => (error ? reject(error) : resolve())));
  await rename(`${path}.new`, path);
  const about: Corpus = { path, entries, bytes: offset, all, kept, lines };
  await writeFile(`${path}.about`, JSON.stringify(about), { mode: 0o600 });
  return about;
}

interface Entry {
  readonly line: string;
  readonly level: string;
  readonly event: string;
}

export function pick<T>(list: readonly T[], random: number): T {
  return list[random % list.length]!;
}

function levelOf(random: number): string {
  const n = random % 100;
  return n < 10 ? "debug" : n < 80 ? "info" : n < 93 ? "warning" : "error";
}

/** What the dashboard writes, with a level: keys, and values as Python prints them. */
export function dashboardMembers(i: number, next: () => number): [key: string, value: string][] {
  const resource = pick(RESOURCES, next());
  const time = new Date(Date.UTC(2026, 1, 1) + i * 7).toISOString().replace("Z", "000+00:00");
  const note = "x".repeat(next() % 68);
  return [
    ["timestamp", `"${time}"`],
    ["level", `"${levelOf(next())}"`],
    ["action", `"${pick(ACTIONS, next())}"`],
    ["resource_type", `"${resource}"`],
    ["resource_id", `"${resource}-${next() % 100_000}"`],
    ["user_id", `"${pick(ACTORS, next())}"`],
    ["token_id", "null"],
    ["ip_address", `"10.${next() % 256}.${next() % 256}.7"`],
    ["user_agent", `"${AGENT}"`],
    ["success", String(next() % 20 !== 0)],
    ["details", `{"n": ${next() % 1000}, "note": "${note}"}`],
  ];
}

/** As Python's `json.dumps` does. */
export function printed(members: readonly (readonly [key: string, value: string])[]): string {
  return `{${members.map(([key, value]) => `"${key}": ${value}`).join(", ")}}`;
}

function dashboard(i: number, next: () => number): Entry {
  const members = dashboardMembers(i, next);
  const text = Object.fromEntries(members.map(([key, value]) => [key, value.replaceAll('"', "")]));
  const hash = [next(), next(), next(), next(), next(), next(), next(), next()].map(hex).join("");
  const line = printed([...members, ["_integrity_hash", `"${hash}"`]]);
  return { line, level: text.level!, event: `${text.resource_type}.${text.action}` };
}

/** As the wiki writes: an event, a level, an actor, details and metadata. */
function wiki(i: number, next: () => number): Entry {
  const level = levelOf(next());
  const event = pick(EVENTS, next());
  const time = new Date(Date.UTC(2026, 1, 1) + i * 7).toISOString();
  const text = 'The quick \\"brown\\" fox, again. '.repeat(3 + (next() % 8));
  const line =
    `{"timestamp":"${time}","event":"${event}","level":"${level}","actor":"${pick(ACTORS, next())}",` +
    `"details":{"prd":"./prd.md","provider":"claude","parallel":false,"n":${next() % 100_000},"text":"${text}"},` +
    `"metadata":{"hostname":"dev-machine","pid":${next() % 65_536},"version":"5.25.0"}}`;
  return { line, level, event };
}

function hex(n: number): string {
  return n.toString(16).padStart(8, "0");
}
