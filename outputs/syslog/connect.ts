/** A connection to the first of several servers that answers. */
import { once } from "node:events";
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { TlsOptions } from "../../agent/api/options.ts";
import { readTls } from "../shared/tls.ts";
import type { Server } from "./options.ts";
import { CONNECT_MS, explain, unlessAborted } from "./transport.ts";

/**
 * With TLS 1.3 a server that refuses the client's certificate says so after the handshake is over for the client: by an alert, or by closing.
 * A session ticket says that all is well; from a server that gives none, silence for so long.
 */
const VERDICT_MS = 500;

export class Connector {
  readonly #servers: readonly Server[];
  readonly #tls: TlsOptions | undefined;
  /** The server that answered last. */
  #at = 0;

  constructor(servers: readonly Server[], tls: TlsOptions | undefined) {
    this.#servers = servers;
    this.#tls = tls;
  }

  /** Throws with what every one of them said. */
  async connect(signal: AbortSignal): Promise<Socket> {
    const reasons: string[] = [];
    for (let i = 0; i < this.#servers.length; i++) {
      const server = this.#servers[this.#at % this.#servers.length]!;
      try {
        return await this.#open(server, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        reasons.push(`${server.host}:${server.port}: ${explain(error as Error)}`);
        this.#at++;
      }
    }
    throw new Error(reasons.join("; "));
  }

  /** The next connection goes to the next server. */
  next(): void {
    this.#at++;
  }

  async #open({ host, port }: Server, signal: AbortSignal): Promise<Socket> {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(CONNECT_MS)]);
    const files = this.#tls && readTls(this.#tls);
    const name = isIP(host) === 0 ? { servername: host } : {};
    const socket = files
      ? connectTls({ host, port, minVersion: "TLSv1.2", ...name, ...files })
      : connect({ host, port });
    socket.setKeepAlive(true, 30_000).setNoDelay(true);
    // Later errors are met by who uses it.
    socket.on("error", () => undefined);
    try {
      await unlessAborted(once(socket, files ? "secureConnect" : "connect"), limit);
      if (files) await verdict(socket, signal);
      return socket;
    } catch (error) {
      socket.destroy();
      if (limit.aborted && !signal.aborted) throw new Error(`no connection within ${CONNECT_MS / 1_000} s`);
      throw error;
    }
  }
}

async function verdict(socket: Socket, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, VERDICT_MS);
  const refuse = (error?: Error | boolean) =>
    reject(
      error instanceof Error
        ? error
        : new Error("the server closed the connection after the TLS handshake: does it want a client certificate?"),
    );
  // An alert may come right behind the ticket, in the same packet.
  const accept = () => setImmediate(resolve);
  socket.once("session", accept).once("error", refuse).once("end", refuse).once("close", refuse);
  socket.resume();
  try {
    await unlessAborted(promise, signal);
  } finally {
    clearTimeout(timer);
    socket.off("session", accept).off("error", refuse).off("end", refuse).off("close", refuse);
  }
}
