import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { expect } from "vitest";
import { parse } from "yaml";
import type { PipelineView } from "../../../agent/api/operate.ts";
import type { Ledger } from "../../../agent/api/status.ts";
import type { Health } from "../../../agent/telemetry/health.ts";
import type { AgentProcess } from "./agent.ts";

/** A line of the agent's own log (`log_format: json`): the event with its members, and what it says of it. */
export interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly component: string;
  readonly msg: string;
  readonly [member: string]: unknown;
}

/** Whole lines of the log so far, of one event if named. */
export function logOf(agent: AgentProcess, event?: string): LogLine[] {
  return agent.stderr
    .split("\n")
    .slice(0, -1)
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as LogLine)
    .filter((line) => event === undefined || line.event === event);
}

/** The ledgers an agent leaves at its end, by output. Fails where one does not balance. */
export function ledgersOf(agent: AgentProcess): Record<string, Ledger> {
  expect(agent.stderr).not.toMatch(/unaccounted for|counted twice/);
  const found: Record<string, Ledger> = {};
  for (const { msg } of logOf(agent, "notice")) {
    const [, alias, rest] = /^([\w.-]+): (read \d+ \+ created .*)$/.exec(msg) ?? [];
    if (alias === undefined) continue;
    const numbers = [...rest!.matchAll(/(\w+) (\d+)/g)].map(([, name, n]) => [name, Number(n)]);
    found[alias] = Object.fromEntries(numbers) as Ledger;
  }
  return found;
}

/** SIGTERM, exit 0, and the ledgers. */
export async function stopOf(agent: AgentProcess): Promise<Record<string, Ledger>> {
  const exit = await agent.stop();
  expect(exit, agent.stderr).toEqual({ code: 0, signal: null });
  return ledgersOf(agent);
}

export async function addressOf(agent: AgentProcess): Promise<string> {
  const pattern = /health and metrics at (http:\/\/[\d.:]+)/;
  await agent.logged(pattern);
  return pattern.exec(agent.stderr)![1]!;
}

const tokens = new WeakMap<AgentProcess, string>();

/** The secret that opens the agent's HTTP interface, as it lies in the data directory. */
export function tokenOf(agent: AgentProcess): string {
  const { args } = agent;
  const known = tokens.get(agent);
  if (known !== undefined) return known;
  const token = readFileSync(join(dataDirOf(args[args.indexOf("--config") + 1]!), "http-token"), "utf8").trim();
  tokens.set(agent, token);
  return token;
}

function dataDirOf(config: string): string {
  const { service } = parse(readFileSync(config, "utf8")) as { service: { data_dir: string } };
  return resolve(dirname(config), service.data_dir);
}

/** Asks the agent over HTTP, with its token. */
export async function ask(agent: AgentProcess, path: string, body?: object): Promise<Response> {
  const address = await addressOf(agent);
  const headers = { authorization: `Bearer ${tokenOf(agent)}`, "content-type": "application/json" };
  return fetch(`${address}${path}`, body ? { method: "POST", headers, body: JSON.stringify(body) } : { headers });
}

export async function viewOf(agent: AgentProcess): Promise<PipelineView> {
  return (await (await ask(agent, "/api/pipeline")).json()) as PipelineView;
}

export async function healthOf(agent: AgentProcess): Promise<Health> {
  return (await (await ask(agent, "/health")).json()) as Health;
}

/** A metric's value, `name` with its labels as in the exposition; 0 where it is absent. */
export async function metricOf(agent: AgentProcess, name: string): Promise<number> {
  const text = await (await fetch(`${await addressOf(agent)}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length));
}

/** Resident memory of a process in MiB, now and at its highest. Linux only. */
export function memoryOf({ pid }: AgentProcess): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
  return { now: mib("VmRSS"), peak: mib("VmHWM") };
}
