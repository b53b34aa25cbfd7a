/**
 * `npm run demo`: what docker-compose.yml shows, on this machine alone and with nothing to install. An application keeps a hash-chained audit
 * log and rotates it; the agent ships it to a syslog server over TCP and into an archive of files; Ctrl-C ends all of them, and says what arrived.
 *
 *   npm run demo -- --seconds 20 --directory /tmp/demo
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stringify } from "yaml";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LAUNCHER = join(ROOT, "bin", "audit-agent.js");
const NEWLINE = 0x0a;

const { values } = parseArgs({
  options: { seconds: { type: "string" }, directory: { type: "string" }, port: { type: "string", default: "2020" } },
});
const directory = values.directory ?? mkdtempSync(join(tmpdir(), "audit-agent-demo-"));
const logs = join(directory, "app-audit");
const archive = join(directory, "archive");
const received = join(directory, "received.log");
const config = join(directory, "pipeline.yaml");
for (const each of [directory, logs]) mkdirSync(each, { recursive: true, mode: 0o700 });

/** A syslog server: RFC 6587 with a length before each message, and each message as one line of a file. */
function receiver() {
  const file = createWriteStream(received, { flags: "a", mode: 0o600 });
  let count = 0;
  const take = (socket: Socket) => {
    let rest = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const space = rest.indexOf(" ");
        const end = space + 1 + Number(rest.toString("latin1", 0, Math.max(space, 0)));
        if (space < 0 || rest.length < end) return;
        file.write(rest.subarray(space + 1, end));
        file.write(Buffer.of(NEWLINE));
        rest = rest.subarray(end);
        count++;
      }
    });
  };
  return { server: createServer(take), count: () => count, end: () => new Promise<void>((done) => file.end(done)) };
}

function pipeline(syslogPort: number): string {
  return stringify({
    service: { data_dir: join(directory, "data"), node: "demo", http: { listen: `127.0.0.1:${values.port}` } },
    pipeline: {
      inputs: [{ name: "tail", tag: "audit.demo", path: join(logs, "audit-*.jsonl") }],
      filters: [
        { name: "chain", match: "audit.demo", scheme: "loki-dashboard", verified_every: "1m" },
        { name: "metadata", match: "audit.demo", add: { environment: "demo" } },
      ],
      outputs: [
        { name: "syslog", match: "audit.demo", host: "127.0.0.1", port: syslogPort, protocol: "tcp" },
        { name: "file", match: "audit.demo", path: join(archive, "$GROUP", "audit-$SOURCE.jsonl"), format: "original" },
      ],
    },
  });
}

function start(script: string, args: readonly string[], log: string, env: Record<string, string> = {}): ChildProcess {
  const out = createWriteStream(join(directory, log), { flags: "a" });
  // In a group of its own: Ctrl-C is for this program, which ends them in their order.
  const child = spawn(process.execPath, [script, ...args], {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  child.stdout.pipe(out, { end: false });
  child.stderr.pipe(out, { end: false });
  return child;
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGTERM");
    await once(child, "exit");
  }
  return child.exitCode;
}

function entries(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"));
  return names.reduce(
    (sum, name) => sum + readFileSync(join(folder, name)).filter((byte) => byte === NEWLINE).length,
    0,
  );
}

const syslog = receiver();
syslog.server.listen(0, "127.0.0.1");
await once(syslog.server, "listening");
writeFileSync(config, pipeline((syslog.server.address() as { port: number }).port), { mode: 0o600 });

const application = start(join(ROOT, "deploy", "demo", "application.ts"), [logs], "application.log", {
  AUDIT_EVERY_MS: process.env.AUDIT_EVERY_MS ?? "200",
  AUDIT_MAX_BYTES: process.env.AUDIT_MAX_BYTES ?? "16384",
  // Nothing is put away for good: what arrived is compared with what was written.
  AUDIT_MAX_FILES: "100000",
});
const agent = start(LAUNCHER, ["--config", config], "agent.log");

console.log(`An application writes ${logs}, the agent ships it. Look at:
  tail -f ${logs}/*.jsonl
  tail -f ${received}
  tail -f ${join(directory, "agent.log")}
  http://127.0.0.1:${values.port}/metrics       (the rest of that address wants the token in ${join(directory, "data", "http-token")})
  node ${LAUNCHER} verify ${logs}
  change a byte of a file there, and see what the agent's log says
Ctrl-C ends it.`);

const stopping = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());
const limit = values.seconds === undefined ? 2 ** 31 - 1 : Number(values.seconds) * 1000;
await Promise.race([delay(limit, undefined, { signal: stopping.signal }).catch(() => {}), once(agent, "exit")]);

await stop(application);
const code = await stop(agent);
syslog.server.close();
await syslog.end();
const written = entries(logs);
const archived = code === 0 ? entries(archive) : 0;
// A folder for each log.
const folders = archived > 0 ? readdirSync(archive).map((name) => join(archive, name)) : [archive];
const verified = spawnSync(process.execPath, [LAUNCHER, "verify", ...folders], { encoding: "utf8" });
console.log(
  `\n${written} entries written, ${syslog.count()} received over syslog, ${archived} archived; all of it is in ${directory}`,
);
console.log((verified.stdout + verified.stderr).trim());
if (code !== 0) console.error(`the agent ended with ${code}: ${join(directory, "agent.log")}`);
process.exitCode = code === 0 && verified.status === 0 ? 0 : 1;
