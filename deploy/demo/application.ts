/**
 * An application that keeps an audit log, for demonstrations: entries in the dashboard's shape, each chained to the one before it by SHA-256,
 * in a file of the day that only its own user can read and that is put away when it is large.
 *
 *   node application.ts DIRECTORY
 *   AUDIT_EVERY_MS=500 AUDIT_MAX_BYTES=65536 AUDIT_MAX_FILES=10
 */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";

type Value = null | boolean | number | string | { readonly [key: string]: Value };

/** Action, kind of resource, whether it succeeds. */
const ACTIONS: readonly (readonly [string, string, boolean])[] = [
  ["login", "session", true],
  ["create", "project", true],
  ["update", "task", true],
  ["login", "session", false],
  ["api.request", "task", true],
  ["create_token", "token", true],
  ["delete", "task", true],
  ["start", "agent", true],
  ["stop", "agent", true],
  ["logout", "session", true],
];
const USERS = ["alice", "bob", "ci-bot", "Zoë"];
const GENESIS = "0".repeat(64);

const directory = process.argv[2] ?? process.env.AUDIT_DIR ?? "audit";
const every = setting("AUDIT_EVERY_MS", 500);
const maxBytes = setting("AUDIT_MAX_BYTES", 65_536);
const maxFiles = setting("AUDIT_MAX_FILES", 10);

function setting(name: string, normally: number): number {
  const value = Number(process.env[name] ?? normally);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`);
  return value;
}

/** The log's files, oldest first: what was put away has its time in the name, and comes before the live file of its day. */
function files(): string[] {
  const key = (name: string) =>
    name.replace(/\.jsonl$/, (end) => (/\.\d{6}\.jsonl$/.test(name) ? end : `.999999${end}`));
  return readdirSync(directory)
    .filter((name) => /^audit-\d{4}-\d\d-\d\d(\.\d{6})?\.jsonl$/.test(name))
    .sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Where the chain goes on after a restart: the hash of the last entry that was written. */
function tip(): string {
  const last = files().at(-1);
  if (last === undefined) return GENESIS;
  const hashes = readFileSync(join(directory, last), "utf8").matchAll(/"_integrity_hash": "([0-9a-f]{64})"\}$/gm);
  return [...hashes].at(-1)?.[1] ?? GENESIS;
}

let previous = GENESIS;
let count = 0;

function write(now: Date): void {
  const [action, resource, success] = ACTIONS[count % ACTIONS.length]!;
  const user = USERS[count % USERS.length]!;
  const entry = {
    timestamp: now.toISOString().replace("Z", "000+00:00"),
    action,
    resource_type: resource,
    resource_id: `${resource}-${100 + (count % 40)}`,
    user_id: user,
    token_id: null,
    ip_address: `192.0.2.${10 + (count % 20)}`,
    user_agent: "demo",
    success,
    error: success ? null : "wrong password",
    details: { number: count++ },
  };
  previous = createHash("sha256")
    .update(previous + pythonJson(entry, true))
    .digest("hex");
  const line = `${pythonJson({ ...entry, _integrity_hash: previous }, false)}\n`;
  const day = now.toISOString().slice(0, 10);
  const live = join(directory, `audit-${day}.jsonl`);
  if (existsSync(live) && statSync(live).size + line.length > maxBytes) putAway(live, now);
  appendFileSync(live, line, { mode: 0o600 });
}

function putAway(live: string, now: Date): void {
  const time = now.toISOString().slice(11, 19).replaceAll(":", "");
  const rotated = live.replace(/\.jsonl$/, `.${time}.jsonl`);
  // Twice within a second: it grows a little over its size instead.
  if (existsSync(rotated)) return;
  renameSync(live, rotated);
  for (const old of files().slice(0, -maxFiles)) unlinkSync(join(directory, old));
}

/** Python's `json.dumps`, for plain values with whole numbers: `", "` and `": "`, ASCII only, keys sorted for the hash. */
function pythonJson(value: Value, sorted: boolean): string {
  if (typeof value === "string") return ascii(JSON.stringify(value));
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const keys = Object.keys(value);
  if (sorted) keys.sort();
  return `{${keys.map((key) => `${ascii(JSON.stringify(key))}: ${pythonJson(value[key]!, sorted)}`).join(", ")}}`;
}

function ascii(text: string): string {
  return text.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

mkdirSync(directory, { recursive: true, mode: 0o700 });
previous = tip();
const timer = setInterval(() => write(new Date()), every);
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => clearInterval(timer));
