/** The usual mix: seven of ten as the dashboard writes them, three as the wiki does; 468 bytes on average. */
import { type Entry, type EntrySource, levelAt, passes, pick, timeAt } from "./entry.ts";

const ACTORS = ["alice", "bob", "ci-bot", "admin", "agent-7", "Zoë"];
const RESOURCES = ["session", "project", "token", "policy", "task"];
const ACTIONS = ["create", "update", "delete", "start", "stop", "login", "read", "rotate"];
const EVENTS = ["session.start", "session.complete", "task.fail", "auth.token.create", "auth.fail", "api.request"];
const AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)";

export const mixed: EntrySource = {
  kind: "mixed",
  entries: 2_000_000,
  from: (next) => (i) => (next() % 10 < 7 ? dashboard(i, next) : wiki(i, next)),
};

/** What the dashboard writes, with a level: keys, and values as Python prints them. */
export function dashboardMembers(i: number, next: () => number): [key: string, value: string][] {
  const resource = pick(RESOURCES, next());
  const time = timeAt(i).replace("Z", "000+00:00");
  const note = "x".repeat(next() % 68);
  return [
    ["timestamp", `"${time}"`],
    ["level", `"${levelAt(next())}"`],
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

/** No resource and action of the dashboard's are an API request. */
export function isKept(members: readonly (readonly [key: string, value: string])[]): boolean {
  return members.find(([key]) => key === "level")![1] !== '"debug"';
}

function dashboard(i: number, next: () => number): Entry {
  const members = dashboardMembers(i, next);
  const hash = [next(), next(), next(), next(), next(), next(), next(), next()].map(hex).join("");
  return { line: printed([...members, ["_integrity_hash", `"${hash}"`]]), kept: isKept(members) };
}

/** As the wiki writes: an event, a level, an actor, details and metadata. */
export function wiki(i: number, next: () => number): Entry {
  const level = levelAt(next());
  const event = pick(EVENTS, next());
  const text = 'The quick \\"brown\\" fox, again. '.repeat(3 + (next() % 8));
  const line =
    `{"timestamp":"${timeAt(i)}","event":"${event}","level":"${level}","actor":"${pick(ACTORS, next())}",` +
    `"details":{"prd":"./prd.md","provider":"claude","parallel":false,"n":${next() % 100_000},"text":"${text}"},` +
    `"metadata":{"hostname":"dev-machine","pid":${next() % 65_536},"version":"5.25.0"}}`;
  return { line, kept: passes(level, event) };
}

function hex(n: number): string {
  return n.toString(16).padStart(8, "0");
}
