/** `audit-agent healthcheck`: one question to a running agent, for a container that has no curl. */
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { SOCKET } from "../http/socket-place.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";

const DATA_DIR = "/var/lib/audit-agent";
const LISTEN = "http://127.0.0.1:2020";
const TIMEOUT_MS = 4000;

/** Asks `url`, or /healthz: by the socket in the data directory where there is one, else where the HTTP server listens unless told otherwise. */
export async function healthcheck(url: string | undefined, context: CommandContext): Promise<number> {
  const socketPath = join(DATA_DIR, SOCKET);
  const local = url === undefined && existsSync(socketPath);
  const target = url ?? `${LISTEN}/healthz`;
  try {
    const status = await ask(target, local ? { socketPath } : {});
    if (status === 200) return EXIT.fine;
    context.err(`${local ? socketPath : target}: HTTP ${status}\n`);
  } catch (error) {
    context.err(`${local ? socketPath : target}: ${messageOf(error)}\n`);
  }
  return EXIT.failed;
}

function ask(url: string, options: { socketPath?: string }): Promise<number> {
  return new Promise((resolve, reject) => {
    // Once, for all of it: `timeout` would begin anew with every byte.
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const asked = request(url, { ...options, signal, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    asked.on("error", (error) => reject(signal.aborted ? new Error("no answer within 4 s") : error));
    asked.end();
  });
}
