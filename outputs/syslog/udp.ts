/** RFC 5426: a datagram a message. What becomes of it nobody knows; only a port that nobody listens on is sometimes told. */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import type { Failure } from "../../agent/api/output.ts";
import type { Server } from "./options.ts";
import { explain, type Failures, type Frames, type Transport, unlessAborted } from "./transport.ts";

/**
 * Datagrams sent at once, and a moment for the receiver to read them: its buffer (212,992 bytes by default on Linux, in which a small one takes
 * a kilobyte) overflows without a word. That makes some 10,000 a second.
 */
const BURST = 16;
const BURST_BYTES = 64 * 1024;
const PAUSE_MS = 1;
/** Turns of the event loop after which what the system has to say of a datagram sent on this host was heard. */
const REFUSAL_TURNS = 3;
/** A name's address may change. */
const RESOLVE_MS = 60_000;

const TOO_LONG: Failure = {
  action: "reject",
  certain: true,
  reason: "this system cannot send a message of that size: set max_message_size lower",
};

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

  async send({ bytes, ends, done }: Frames, signal: AbortSignal): Promise<Failures> {
    const socket = await this.#connected(signal);
    const tooLong = new Map<number, Failure>();
    try {
      let start = 0;
      for (let i = 0; i < ends.length; ) {
        const burst: Promise<void>[] = [];
        for (const from = start; i < ends.length && burst.length < BURST && start - from < BURST_BYTES; i++) {
          burst.push(sendOne(socket, bytes.subarray(start, ends[i]), i, tooLong));
          start = ends[i]!;
        }
        await unlessAborted(Promise.all(burst), signal);
        if (i < ends.length) await delay(PAUSE_MS, undefined, { signal });
      }
      // That nobody listens there is told behind the datagram: on this host at once.
      for (let i = 0; i < REFUSAL_TURNS && !this.#refused; i++) await turn();
      if (this.#refused) throw this.#refused;
    } catch (error) {
      if (!signal.aborted) this.#at++;
      this.#drop();
      throw new Error(explain(error as Error));
    }
    done?.();
    return tooLong;
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
      this.#socket = socket;
      socket.on("error", (error) => {
        if (this.#socket === socket) this.#refused = error;
      });
      // Its callback is told of a failure, which its type does not say.
      await new Promise<void>((resolve, reject) =>
        socket.connect(port, address, (error?: Error) => (error ? reject(error) : resolve())),
      );
      this.#resolvedAt = now;
      return socket;
    } catch (error) {
      this.#at++;
      this.#drop();
      throw new Error(`${host}: ${explain(error as Error)}`);
    }
  }

  #drop(): void {
    this.#refused = undefined;
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** A message longer than this system sends in one datagram is its own fault alone: it is noted, and the others go on. */
function sendOne(socket: Socket, message: Buffer, index: number, tooLong: Map<number, Failure>): Promise<void> {
  return new Promise((resolve, reject) =>
    socket.send(message, (error) => {
      if ((error as NodeJS.ErrnoException | null)?.code === "EMSGSIZE") tooLong.set(index, TOO_LONG);
      else if (error) return reject(error);
      resolve();
    }),
  );
}
