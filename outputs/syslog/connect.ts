/** A connection to the first of several servers that is well. */
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

/** A server that failed is the last to be tried for so long, and twice as long each time until it is well again. */
const REST_MS = 60_000;
const MAX_REST_MS = 3_600_000;
/** What a better server may hold up the writes to one that is well. */
const BETTER_MS = 2_000;

interface Failed {
  readonly at: number;
  readonly restMs: number;
}

export class Connector {
  readonly #servers: readonly Server[];
  readonly #tls: TlsOptions | undefined;
  readonly #now: () => number;
  readonly #failed = new Map<Server, Failed>();
  /** The server that answered last. */
  #current: Server | undefined;

  /** `now`: monotonic milliseconds. */
  constructor(servers: readonly Server[], tls: TlsOptions | undefined, now: () => number) {
    this.#servers = servers;
    this.#tls = tls;
    this.#now = now;
  }

  /** Throws with what every one of them said. */
  async connect(signal: AbortSignal): Promise<Socket> {
    const reasons: string[] = [];
    for (const server of this.#inOrder()) {
      try {
        return await this.#open(server, signal, CONNECT_MS);
      } catch (error) {
        if (signal.aborted) throw error;
        reasons.push(`${server.host}:${server.port}: ${explain(error as Error)}`);
        this.#fail(server);
      }
    }
    throw new Error(reasons.join("; "));
  }

  /** A connection to a server that comes before the present one and may be well again; undefined where there is none. */
  async better(signal: AbortSignal): Promise<Socket | undefined> {
    for (const server of this.#servers) {
      if (server === this.#current) break;
      if (this.#rests(server)) continue;
      try {
        return await this.#open(server, signal, BETTER_MS);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#fail(server);
      }
    }
    return undefined;
  }

  /** The server of the last connection takes messages. */
  good(): void {
    if (this.#current) this.#failed.delete(this.#current);
  }

  /** It does not: the next connection goes to the next server. */
  next(): void {
    if (this.#current) this.#fail(this.#current);
  }

  #fail(server: Server): void {
    const restMs = Math.min((this.#failed.get(server)?.restMs ?? REST_MS / 2) * 2, MAX_REST_MS);
    this.#failed.set(server, { at: this.#now(), restMs });
  }

  #rests(server: Server): boolean {
    const failed = this.#failed.get(server);
    return failed !== undefined && this.#now() - failed.at < failed.restMs;
  }

  /** As they are listed; behind them those that failed lately, the one that failed first before the others. */
  #inOrder(): Server[] {
    const resting = this.#servers.filter((server) => this.#rests(server));
    const failedAt = (server: Server) => this.#failed.get(server)!.at;
    return [
      ...this.#servers.filter((server) => !resting.includes(server)),
      ...resting.sort((a, b) => failedAt(a) - failedAt(b)),
    ];
  }

  async #open(server: Server, signal: AbortSignal, limitMs: number): Promise<Socket> {
    const { host, port } = server;
    const limit = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
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
      this.#current = server;
      return socket;
    } catch (error) {
      socket.destroy();
      if (limit.aborted && !signal.aborted) throw new Error(`no connection within ${limitMs / 1_000} s`);
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
