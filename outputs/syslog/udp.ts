/** RFC 5426: a datagram a message. What becomes of it nobody knows; only a port that nobody listens on is sometimes told. */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { Server } from "./options.ts";
import { explain, type Frames, type Transport, unlessAborted } from "./transport.ts";

/** Datagrams handed to the system at once: more of them would overflow its buffer without a word. */
const BURST = 64;
/** A name's address may change. */
const RESOLVE_MS = 60_000;

export class UdpTransport implements Transport {
  readonly #servers: readonly Server[];
  readonly #now: () => number;
  #socket: Socket | undefined;
  #resolvedAt = Number.NEGATIVE_INFINITY;
  #at = 0;
  /** What the system said since the last look: that nobody listens there. */
  #refused: Error | undefined;

  constructor(servers: readonly Server[], now: () => number) {
    this.#servers = servers;
    this.#now = now;
  }

  async send({ bytes, ends }: Frames, signal: AbortSignal): Promise<void> {
    const socket = await this.#connected(signal);
    let start = 0;
    for (let i = 0; i < ends.length; ) {
      const burst: Promise<void>[] = [];
      for (; i < ends.length && burst.length < BURST; i++) {
        burst.push(sendOne(socket, bytes.subarray(start, ends[i])));
        start = ends[i]!;
      }
      await unlessAborted(Promise.all(burst), signal).catch((error: Error) => {
        this.#drop();
        throw new Error(explain(error));
      });
    }
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#connected(signal);
  }

  close(): Promise<void> {
    this.#drop();
    return Promise.resolve();
  }

  /** Where the server refused the last datagrams the next one is tried. */
  async #connected(signal: AbortSignal): Promise<Socket> {
    if (this.#refused) {
      this.#refused = undefined;
      this.#at++;
      this.#drop();
    }
    const now = this.#now();
    if (this.#socket && now - this.#resolvedAt < RESOLVE_MS) return this.#socket;
    this.#drop();
    const { host, port } = this.#servers[this.#at % this.#servers.length]!;
    try {
      const { address, family } = await unlessAborted(lookup(host), signal);
      const socket = createSocket(family === 6 ? "udp6" : "udp4");
      socket.on("error", (error) => {
        this.#refused = error;
      });
      await new Promise<void>((resolve) => socket.connect(port, address, resolve));
      this.#socket = socket;
      this.#resolvedAt = now;
      return socket;
    } catch (error) {
      this.#at++;
      throw new Error(`${host}: ${explain(error as Error)}`);
    }
  }

  #drop(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

function sendOne(socket: Socket, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => socket.send(message, (error) => (error ? reject(error) : resolve())));
}
