/**
 * The operating interface on a Unix socket in the data directory, always there: whoever may open the directory may operate the agent. What
 * answers is loaded with the first connection, so an agent that nobody asks does not pay for it.
 */
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { FastifyInstance } from "fastify";
import { readSmall, realDisk, writeSmall } from "../state/disk.ts";
import type { Routed } from "./routes.ts";
import { ELSEWHERE, SOCKET } from "./socket-place.ts";

/** `sun_path` of unix(7) has 108 bytes, one of them for the end. */
const MOST_PATH = 100;

export interface SocketServer {
  readonly path: string;
  close(): Promise<void>;
}

export async function listenOnSocket(dataDir: string, routed: Routed): Promise<SocketServer> {
  const path = await place(dataDir);
  let app: Promise<FastifyInstance> | undefined;
  const server = createServer((socket: Socket) => {
    socket.on("error", () => socket.destroy());
    app ??= load(routed);
    app.then(
      ({ server: http }) => http.emit("connection", socket),
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  await chmod(path, 0o600);
  server.on("error", () => undefined);
  // It does not hold the process.
  server.unref();
  return {
    path,
    async close() {
      server.close();
      await (await app?.catch(() => undefined))?.close();
      await rm(path, { force: true });
      if (dirname(path) !== dataDir) await rm(dirname(path), { recursive: true, force: true });
    },
  };
}

async function load(routed: Routed): Promise<FastifyInstance> {
  const { makeApp } = await import("./app.ts");
  const app = await makeApp({ access: { by: "socket" }, host: undefined }, routed);
  await app.ready();
  return app;
}

async function place(dataDir: string): Promise<string> {
  // The directory is locked by this process: what lies there is left over.
  const path = join(dataDir, SOCKET);
  await rm(path, { force: true });
  const pointer = join(dataDir, ELSEWHERE);
  const left = (await readSmall(realDisk, pointer, 4096))?.toString().trim();
  // Of a run that was killed.
  if (left?.startsWith(join(tmpdir(), "audit-agent-"))) await rm(dirname(left), { recursive: true, force: true });
  await rm(pointer, { force: true });
  if (Buffer.byteLength(path) <= MOST_PATH) return path;
  const elsewhere = join(await mkdtemp(join(tmpdir(), "audit-agent-")), SOCKET);
  await writeSmall(realDisk, pointer, Buffer.from(`${elsewhere}\n`));
  return elsewhere;
}
