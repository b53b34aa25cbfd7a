/**
 * Real servers for tests. Their addresses come from the environment; a test without its server says so loudly, and fails where
 * `REQUIRE_SERVICES=1`.
 *
 *     const s3 = service("S3 server", ["S3_URL", "S3_ACCESS_KEY"]);
 *     describe.runIf(s3.there)("a real S3 server", () => { … s3.env.S3_URL … });
 *
 * `SERVICES_DIR` is a directory with `<name>/pid` per server: with it `restart` ends a server and starts it again, with its data.
 */
import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { test } from "vitest";
import { until } from "../e2e/harness/until.ts";

export interface Service<Name extends string> {
  readonly there: boolean;
  readonly env: Readonly<Record<Name, string>>;
}

/** Makes the test "a real … is there", which is what complains. */
export function service<const Name extends string>(what: string, names: readonly Name[]): Service<Name> {
  const missing = names.filter((name) => process.env[name] === undefined);
  const reason = `${missing.join(" and ")} not set, so nothing was tried against a real ${what}`;
  test(`a real ${what} is there`, (context) => {
    if (missing.length === 0) return;
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(`${reason}, and REQUIRE_SERVICES=1`);
    process.stderr.write(`\n*** SKIPPED: ${reason} ***\n`);
    context.skip(reason);
  });
  const env = Object.fromEntries(names.map((name) => [name, process.env[name] ?? ""])) as Record<Name, string>;
  return { there: missing.length === 0, env };
}

const DOWN_MS = 500;

/** Whether `restart` can be used. */
export function canRestart(name: string): boolean {
  const { SERVICES_DIR } = process.env;
  return SERVICES_DIR !== undefined && existsSync(join(SERVICES_DIR, name, "pid"));
}

/**
 * Ends a server (the hard way, unless another signal is given), leaves it down for a while, and starts it as it was: same command, same
 * environment, same data.
 */
export async function restart(
  name: string,
  port: number,
  { signal = "SIGKILL", whileDown }: { signal?: NodeJS.Signals; whileDown?: () => void } = {},
): Promise<void> {
  const folder = join(process.env.SERVICES_DIR!, name);
  const pids = readFileSync(join(folder, "pid"), "utf8").trim().split("\n").map(Number);
  const commands = pids.map((pid) => ({
    args: parts(`/proc/${pid}/cmdline`),
    env: Object.fromEntries(parts(`/proc/${pid}/environ`).map((pair) => pair.split(/=(.*)/s, 2))),
    cwd: readlinkSync(`/proc/${pid}/cwd`),
  }));
  for (const pid of pids) process.kill(pid, signal);
  await until(`${name} to end`, () => pids.every((pid) => !alive(pid)));
  whileDown?.();
  await delay(DOWN_MS);
  const log = openSync(join(folder, "log"), "a");
  const started = commands.map(({ args: [program, ...args], env, cwd }) => {
    const child = spawn(program!, args, { env, cwd, detached: true, stdio: ["ignore", log, log] });
    child.unref();
    return child.pid!;
  });
  writeFileSync(join(folder, "pid"), `${started.join("\n")}\n`);
  await until(`${name} to listen again`, () => listens(port), { timeoutMs: 60_000 });
}

function parts(path: string): string[] {
  return readFileSync(path, "utf8")
    .split("\0")
    .filter((part) => part !== "");
}

/** Not a zombie that nobody waits for. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}
