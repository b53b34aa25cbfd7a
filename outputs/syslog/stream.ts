/**
 * Syslog over TCP and TLS, which have no acknowledgements. What was written may lie in a dead server's buffers, so
 *   - a write counts when the server's system has all of it (the kernel's send queue is empty) and the connection is still whole;
 *   - what was written lately is kept, and written again on the next connection when this one breaks, at once and by itself;
 *   - a peer that has closed is noticed before writing;
 *   - a close waits for the server to have read to the end.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Connector } from "./connect.ts";
import { explain, type Frames, NONE, type Transport, unlessAborted } from "./transport.ts";

/** The window: what may still be unread by the server, and how long and how much of it is kept. */
const WINDOW_MS = 10_000;
const WINDOW_BYTES = 16 * 1024 * 1024;
/** A broken connection's window is written again after so long, and so long again. */
const RECOVER_MS = 1_000;
const CLOSE_MS = 2_000;
const AFTER_MS = 2;

interface Sent {
  readonly bytes: Buffer;
  /** Monotonic milliseconds. */
  readonly at: number;
}

export class StreamTransport implements Transport {
  readonly #connector: Connector;
  readonly #now: () => number;
  readonly #onResend: (bytes: number) => void;
  #socket: Socket | undefined;
  #window: Sent[] = [];
  #recovering: Promise<void> | undefined;
  readonly #closed = new AbortController();
  /** One write at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connector: Connector, now: () => number, onResend: (bytes: number) => void) {
    this.#connector = connector;
    this.#now = now;
    this.#onResend = onResend;
  }

  send({ bytes }: Frames, signal: AbortSignal): Promise<readonly number[]> {
    return this.#inTurn(async () => {
      const socket = await this.#connected(signal);
      try {
        await write(socket, bytes, signal);
        this.#window.push({ bytes, at: this.#now() });
        return NONE;
      } catch (error) {
        this.#drop(socket);
        // One that takes connections and no messages would hold everything for ever.
        this.#connector.next();
        throw error;
      }
    });
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#inTurn(() => this.#connected(signal));
  }

  async close(): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    await this.#recovering;
    await this.#turn.catch(() => undefined);
    this.#trim();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && (await ended(socket))) return;
    if (this.#window.length === 0) return;
    // Closed with an error, or before: what the server may not have read goes once more to one that lives.
    const limit = AbortSignal.timeout(CLOSE_MS);
    try {
      const again = await this.#connector.connect(limit);
      await this.#resend(again, limit);
      await ended(again);
    } catch {
      // Nobody is there. The promise reaches to the server's socket.
    }
  }

  /** An open connection with the window of the one before written to it. */
  async #connected(signal: AbortSignal): Promise<Socket> {
    this.#trim();
    if (this.#socket && whole(this.#socket)) return this.#socket;
    if (this.#socket) this.#drop(this.#socket);
    const socket = await this.#connector.connect(signal);
    try {
      await this.#resend(socket, signal);
    } catch (error) {
      socket.destroy();
      this.#connector.next();
      throw error;
    }
    this.#socket = socket;
    // What a server says is of no interest, but its end must be seen.
    socket.resume();
    socket.once("close", () => this.#broke(socket));
    socket.once("end", () => this.#broke(socket));
    return socket;
  }

  async #resend(socket: Socket, signal: AbortSignal): Promise<void> {
    if (this.#window.length === 0) return;
    const bytes = Buffer.concat(this.#window.map((sent) => sent.bytes));
    await write(socket, bytes, signal);
    this.#window = [{ bytes, at: this.#now() }];
    this.#onResend(bytes.length);
  }

  /** Not by a write: then the window waits for nobody. */
  #broke(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#drop(socket);
    this.#trim();
    const { signal } = this.#closed;
    if (this.#window.length === 0 || signal.aborted) return;
    this.#recovering ??= this.#recover(signal).finally(() => {
      this.#recovering = undefined;
    });
  }

  async #recover(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#socket === undefined && this.#window.length > 0) {
      // Time passes without a connection: that proves nothing.
      this.#window = this.#window.map(({ bytes }) => ({ bytes, at: this.#now() }));
      const done = await this.#inTurn(() => this.#connected(signal)).catch(() => undefined);
      if (done === undefined) await delay(RECOVER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** What lies long enough on a connection that is whole has been read. */
  #trim(): void {
    if (this.#socket && whole(this.#socket)) {
      const from = this.#now() - WINDOW_MS;
      this.#window = this.#window.filter(({ at }) => at > from);
    }
    let bytes = this.#window.reduce((sum, sent) => sum + sent.bytes.length, 0);
    while (bytes > WINDOW_BYTES && this.#window.length > 1) bytes -= this.#window.shift()!.bytes.length;
  }

  #drop(socket: Socket): void {
    if (this.#socket === socket) this.#socket = undefined;
    socket.destroy();
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(action, action);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

function whole(socket: Socket): boolean {
  return socket.writable && socket.readable && !socket.destroyed && !socket.readableEnded;
}

async function write(socket: Socket, bytes: Buffer, signal: AbortSignal): Promise<void> {
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const fail = (error?: unknown) =>
    reject(new Error(error instanceof Error ? explain(error) : "the server closed the connection"));
  socket.once("error", fail).once("close", fail).once("end", fail);
  try {
    const sent = new Promise<void>((resolve, no) => socket.write(bytes, (error) => (error ? no(error) : resolve())));
    sent.catch(() => undefined);
    await unlessAborted(Promise.race([sent.then(() => received(socket, signal)), broken]), signal);
  } finally {
    socket.off("error", fail).off("close", fail).off("end", fail);
  }
}

/** Resolves when the peer's system has acknowledged all bytes, as far as this system tells (Linux). */
async function received(socket: Socket, signal: AbortSignal): Promise<void> {
  for (let ms = 1; !signal.aborted && !socket.destroyed; ms = Math.min(ms * 2, 100)) {
    const queued = await unacknowledged(socket);
    // A moment more: a server that resets the connection at these very bytes says so right behind them.
    if (queued === undefined || queued === 0)
      return await delay(AFTER_MS, undefined, { signal }).catch(() => undefined);
    await delay(ms, undefined, { signal }).catch(() => undefined);
  }
}

/** Bytes in the kernel's send queue; undefined where that cannot be known. https://docs.kernel.org/networking/proc_net_tcp.html */
async function unacknowledged({ localPort, remotePort, remoteFamily }: Socket): Promise<number | undefined> {
  if (localPort === undefined || remotePort === undefined) return undefined;
  const port = (n: number) => n.toString(16).toUpperCase().padStart(4, "0");
  try {
    const table = await readFile(remoteFamily === "IPv6" ? "/proc/self/net/tcp6" : "/proc/self/net/tcp", "latin1");
    const row = new RegExp(`:${port(localPort)} [0-9A-F]+:${port(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`).exec(table);
    return row ? Number.parseInt(row[1]!, 16) : undefined;
  } catch {
    return undefined;
  }
}

/** Half-closes and waits for the server to do the same: true when it did, having read everything. */
async function ended(socket: Socket): Promise<boolean> {
  if (!whole(socket)) {
    socket.destroy();
    return false;
  }
  try {
    const closed = once(socket, "close", { signal: AbortSignal.timeout(CLOSE_MS) });
    socket.end();
    await closed;
    return !socket.errored;
  } catch {
    return !socket.errored;
  } finally {
    socket.destroy();
  }
}
