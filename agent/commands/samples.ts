/** Sample audit files for the quick start, in the shape of the real writers: a hash-chained dashboard log and an agent log. */
import { createHash } from "node:crypto";

type Value = null | boolean | number | string | { readonly [key: string]: Value };

/** Event, resource, user, success; a minute apart. */
const DASHBOARD: readonly (readonly [string, string, string, boolean])[] = [
  ["login", "session", "alice", true],
  ["create", "project", "alice", true],
  ["api.request", "project", "alice", true],
  ["session.start", "session", "alice", true],
  ["update", "task", "alice", true],
  ["login", "session", "bob", false],
  ["login", "session", "bob", true],
  ["create_token", "token", "bob", true],
  ["api.request", "task", "ci-bot", true],
  ["revoke_token", "token", "alice", true],
  ["delete", "task", "bob", true],
  ["logout", "session", "alice", true],
];

const AGENT: readonly (readonly [string, string, string])[] = [
  ["session_start", "Session started", "prd=./prd.md,provider=claude"],
  ["cli_invoke", "Starting iteration 1", "provider=claude,tier=development"],
  ["policy_denied", "Policy denied execution", "enforcement=pre_execution"],
  ["policy_approval_required", "Policy requires approval", "enforcement=pre_execution"],
  ["policy_approval_granted", "Operator approved policy", "enforcement=pre_execution"],
  ["git_commit", "Committed session changes", "iterations=1,result=0"],
  ["session_stop", "Session ended", "result=0,iterations=1"],
];

const MINUTE = 60_000;

/** Lines of a `loki-dashboard` chain: each `_integrity_hash` covers the one before it and the entry itself. The last is of `end`. */
export function dashboardLines(end: number): string[] {
  let previous = "0".repeat(64);
  return DASHBOARD.map(([action, resource, user, success], index) => {
    const time = new Date(end - (DASHBOARD.length - 1 - index) * MINUTE).toISOString();
    const entry = {
      timestamp: `${time.slice(0, 23)}000+00:00`,
      action,
      resource_type: resource,
      resource_id: `${resource}-${100 + index}`,
      user_id: user,
      token_id: null,
      ip_address: `192.0.2.${10 + user.length}`,
      user_agent: "audit-agent sample",
      success,
      error: success ? null : "wrong password",
      details: { sample: true, number: index + 1 },
    };
    previous = createHash("sha256")
      .update(previous + pythonJson(entry, true))
      .digest("hex");
    return pythonJson({ ...entry, _integrity_hash: previous }, false);
  });
}

export function agentLines(end: number): string[] {
  return AGENT.map(([action, description, details], index) => {
    const time = new Date(end - (AGENT.length - 1 - index) * MINUTE).toISOString();
    const entry = { timestamp: `${time.slice(0, 19)}Z`, action, description, details, iteration: 1, pid: 4242 };
    return pythonJson(entry, false);
  });
}

/** Python's `json.dumps`, for the plain ASCII and whole numbers above: `", "` and `": "`, keys sorted for the hash. */
function pythonJson(value: Value, sorted: boolean): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const keys = Object.keys(value);
  if (sorted) keys.sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}: ${pythonJson(value[key]!, sorted)}`).join(", ")}}`;
}
