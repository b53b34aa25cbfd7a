import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { Control } from "../control/control.ts";
import { cleanName, type Operator } from "../control/operator.ts";
import { EventStreams } from "./events.ts";
import { listenOnSocket } from "./socket.ts";
import { isAuthorized, openToken } from "./token.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "audit-agent-doors-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
});

test("the token is made once, for the agent's user alone; what is no token is replaced", async () => {
  const token = await openToken(dir);
  expect(token).toMatch(/^[\w-]{43}$/);
  const file = join(dir, "http-token");
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await chmod(file, 0o644);
  expect(await openToken(dir)).toBe(token);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await writeFile(file, "guess me");
  const made = await openToken(dir);
  expect(made).not.toBe("guess me");
  expect(await readFile(file, "utf8")).toBe(`${made}\n`);
});

test("only the very token opens", () => {
  const token = "T".repeat(43);
  expect(isAuthorized(`Bearer ${token}`, token)).toBe(true);
  expect(isAuthorized(`bearer ${token}`, token)).toBe(true);
  for (const wrong of [undefined, "", token, `Basic ${token}`, `Bearer ${token} x`, `Bearer ${token.slice(1)}`]) {
    expect(isAuthorized(wrong, token), wrong).toBe(false);
  }
});

const seen: Operator[] = [];
const control = {
  telemetry: { health: () => ({ ready: true }) },
  pause: async (alias: string, paused: boolean, operator: Operator) => {
    seen.push(operator);
    return { alias, paused };
  },
} as unknown as Control;
const routed = { control, streams: new EventStreams(control), page: new Map() };

function post(socketPath: string, headers: Record<string, string>): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { socketPath, path: "/api/outputs/es/pause", method: "POST", headers, agent: false };
    const sent = request(options, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode!));
    });
    sent.on("error", reject).end();
  });
}

test("the socket: what an earlier agent left is replaced, who asks says who he is", async () => {
  const left = createServer().listen(join(dir, "agent.sock"));
  await new Promise((resolve) => left.once("listening", resolve));
  const { path, close } = await listenOnSocket(dir, routed);
  expect(path).toBe(join(dir, "agent.sock"));
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await post(path, { "x-operator": "ann", host: "anything" })).toBe(200);
  expect(await post(path, {})).toBe(200);
  expect(seen.splice(0)).toEqual([
    { actor: "ann", from: "socket" },
    { actor: "unknown", from: "socket" },
  ]);
  await close();
  await expect(stat(path)).rejects.toThrow("ENOENT");
  left.close();
});

test("where the data directory's path is too long for a socket, a file in it says where the socket is", async () => {
  const deep = join(dir, "d".repeat(100));
  await mkdir(deep);
  const { path, close } = await listenOnSocket(deep, routed);
  expect(await readFile(join(deep, "agent.sock.path"), "utf8")).toBe(`${path}\n`);
  expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
  expect(await post(path, {})).toBe(200);
  seen.length = 0;
  await close();
  await expect(stat(dirname(path))).rejects.toThrow("ENOENT");
});

test("a name that somebody gives himself is one short line", () => {
  expect(cleanName(`  an\u0000n\u202e${"x".repeat(200)}\n`)).toBe(`ann${"x".repeat(61)}`);
  expect(cleanName("\u0001 ")).toBeUndefined();
});
