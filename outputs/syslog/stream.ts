/**
 * Syslog over TCP and TLS, which have no acknowledgements. What was written may lie in a dead server's buffers, so
 *   - a write counts when the server's system has all of it (the kernel's send queue is empty) and the connection is still whole;
 *   - what was written is kept until the connection has proved alive, and written again on the next one when this one breaks, at once and
 *     by itself;
 *   - a connection that follows a broken one has to last a moment before anything more counts: something in between (a balancer) may
 *     take every connection and have nobody behind it;
 *   - a peer that has closed is noticed before writing;
 *   - a close waits for the server to have read to the end.
 */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import type { Socket } from "node:net";
import { setTimeout as delay, setImmediate as turn } from "node:timers/promises";
import type { Connector } from "./connect.ts";
import { explain, type Failures, type Frames, NONE, type Transport, unlessAborted } from "./transport.ts";

/**
 * The window: what the server's system has and the server may not have read. It has read what lies there for so long on a connection that
 * still acknowledges, and what has so much behind it on the same connection: no system buffers more.
 */
const WINDOW_MS = 10_000;
const WINDOW_BYTES = 16 * 1024 * 1024;
/** A broken connection's window is written again after so long, and so long again. */
const RECOVER_MS = 1_000;
const CLOSE_MS = 2_000;
/** After these, a connection that is whole took what was written: the first bytes, those of a window, any others. */
const FIRST_MS = 100;
const PROOF_MS = 500;
const AFTER_MS = 2;
/** Between two looks at what the server's system has taken. */
const MAX_LOOK_MS = 100;

interface Sent {
  readonly frames: Frames;
  /** Monotonic milliseconds. */
  readonly at: number;
}

export class StreamTransport implements Transport {
  readonly #connector: Connector;
  readonly #now: () => number;
  readonly #onResend: (bytes: number) => void;
  #socket: Socket | undefined;
  /** Nothing was written to it yet. */
  #fresh = false;
  #window: Sent[] = [];
  #recovering: Promise<void> | undefined;
  readonly #closed = new AbortController();
  /** How long the server's system took for the last write, in milliseconds: each look at that costs much of one. */
  #taking = 0;
  /** One write at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connector: Connector, now: () => number, onResend: (bytes: number) => void) {
    this.#connector = connector;
    this.#now = now;
    this.#onResend = onResend;
  }

  send(frames: Frames, signal: AbortSignal): Promise<Failures> {
    return this.#inTurn(async () => {
      const socket = await this.#connected(signal);
      try {
        this.#taking = await write(socket, [frames.bytes], signal, this.#fresh ? FIRST_MS : AFTER_MS, this.#taking);
        this.#fresh = false;
        this.#window.push({ frames, at: this.#now() });
        this.#trim();
        this.#connector.good();
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
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && (await ended(socket)) !== "broken") return;
    if (this.#window.length === 0) return;
    // Closed with an error, or before: what the server may not have read goes once more to one that lives.
    const limit = AbortSignal.timeout(CLOSE_MS);
    try {
      const again = await this.#connector.connect(limit);
      again.resume();
      await this.#resend(again, limit);
      await ended(again);
    } catch {
      // Nobody is there. The promise reaches to the server's socket.
    }
  }

  /** An open connection with the window of the one before written to it. */
  async #connected(signal: AbortSignal): Promise<Socket> {
    let better: Socket | undefined;
    if (this.#socket && whole(this.#socket)) {
      better = await this.#connector.better(signal);
      if (better === undefined) return this.#socket;
      await this.#leave();
    } else if (this.#socket) this.#drop(this.#socket);
    const socket = better ?? (await this.#connector.connect(signal));
    // What a server says is of no interest, but its end must be seen.
    socket.resume();
    try {
      await this.#resend(socket, signal);
    } catch (error) {
      socket.destroy();
      this.#connector.next();
      throw error;
    }
    this.#socket = socket;
    this.#fresh = true;
    socket.once("close", () => this.#broke(socket));
    socket.once("end", () => {
      // Alive until now: what it has had for long, it has read.
      if (this.#socket === socket) this.#trim();
      this.#broke(socket);
    });
    return socket;
  }

  /** Ends the connection to a server that is well, for a better one. */
  async #leave(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket && (await ended(socket)) === "closed") this.#window = [];
  }

  async #resend(socket: Socket, signal: AbortSignal): Promise<void> {
    if (this.#window.length === 0) return;
    const again = this.#window.map(({ frames }) => frames.bytes);
    await write(socket, again, signal, PROOF_MS, 0);
    this.#window = this.#window.map(({ frames }) => ({ frames, at: this.#now() }));
    this.#onResend(again.reduce((sum, bytes) => sum + bytes.length, 0));
  }

  /** Not by a write: then the window waits for nobody. */
  #broke(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#drop(socket);
    const { signal } = this.#closed;
    if (this.#window.length === 0 || signal.aborted) return;
    this.#recovering ??= this.#recover(signal).finally(() => {
      this.#recovering = undefined;
    });
  }

  async #recover(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && this.#socket === undefined && this.#window.length > 0) {
      const done = await this.#inTurn(() => this.#connected(signal)).catch(() => undefined);
      if (done === undefined) await delay(RECOVER_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Forgets what the server has read. Only when the connection, on which all of the window was written, has just proved alive. */
  #trim(): void {
    const from = this.#now() - WINDOW_MS;
    let behind = 0;
    let first = this.#window.length;
    while (first > 0 && behind < WINDOW_BYTES && this.#window[first - 1]!.at > from)
      behind += this.#window[--first]!.frames.bytes.length;
    for (const { frames } of this.#window.splice(0, first)) frames.done?.();
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

/**
 * `afterMs`: a server that resets the connection at these very bytes says so right behind them, so a moment is waited for that. `likelyMs`: how
 * long the server's system will take; answers how long it took.
 */
async function write(
  socket: Socket,
  parts: readonly Buffer[],
  signal: AbortSignal,
  afterMs: number,
  likelyMs: number,
): Promise<number> {
  const { promise: broken, reject } = Promise.withResolvers<never>();
  broken.catch(() => undefined);
  const fail = (error?: unknown) =>
    reject(new Error(error instanceof Error ? explain(error) : "the server closed the connection"));
  socket.once("error", fail).once("close", fail).once("end", fail);
  let took = 0;
  try {
    const sent = new Promise<void>((resolve, no) => {
      for (const part of parts.slice(0, -1)) socket.write(part);
      socket.write(parts.at(-1)!, (error) => (error ? no(error) : resolve()));
    });
    sent.catch(() => undefined);
    const taken = sent
      .then(() => received(socket, signal, likelyMs))
      .then((ms) => {
        took = ms;
        return delay(afterMs, undefined, { signal }).catch(() => undefined);
      })
      // What came while this process was busy is heard first.
      .then(() => turn());
    await unlessAborted(Promise.race([taken, broken]), signal);
    return took;
  } finally {
    socket.off("error", fail).off("close", fail).off("end", fail);
  }
}

/** Resolves when the peer's system has acknowledged all bytes, as far as this system tells (Linux), with the milliseconds waited for it. */
async function received(socket: Socket, signal: AbortSignal, likelyMs: number): Promise<number> {
  const pause = (ms: number) => delay(ms, undefined, { signal }).catch(() => undefined);
  // A little less each time: else what once took long would be waited for ever after.
  let waited = Math.min(Math.floor(likelyMs * 0.75), MAX_LOOK_MS);
  if (waited > 0) await pause(waited);
  for (let ms = 1; !signal.aborted && !socket.destroyed; ms = Math.min(ms * 2, MAX_LOOK_MS)) {
    const queued = await unacknowledged(socket);
    if (queued === undefined || queued === 0) break;
    await pause(ms);
    waited += ms;
  }
  return waited;
}

/** Bytes in the kernel's send queue; undefined where that cannot be known. https://docs.kernel.org/networking/proc_net_tcp.html */
async function unacknowledged({ localPort, remotePort, remoteFamily }: Socket): Promise<number | undefined> {
  if (localPort === undefined || remotePort === undefined) return undefined;
  const port = (n: number) => n.toString(16).toUpperCase().padStart(4, "0");
  try {
    const table = await readFile(remoteFamily === "IPv6" ? "/proc/self/net/tcp6" : "/proc/self/net/tcp", "latin1");
    const row = new RegExp(`:${port(localPort)} [0-9A-F]+:${port(remotePort)} [0-9A-F]{2} ([0-9A-F]{8}):`, "g");
    // Connections to several hosts can have the same two ports.
    const queued = [...table.matchAll(row)].map(([, bytes]) => Number.parseInt(bytes!, 16));
    return queued.length > 0 ? Math.max(...queued) : undefined;
  } catch {
    return undefined;
  }
}

/** Half-closes and waits for the server to do the same: `closed` when it did, having read everything; `open` when it did not yet. */
async function ended(socket: Socket): Promise<"closed" | "open" | "broken"> {
  if (!whole(socket)) {
    socket.destroy();
    return "broken";
  }
  try {
    const closed = once(socket, "close", { signal: AbortSignal.timeout(CLOSE_MS) });
    socket.end();
    await closed;
    return socket.errored ? "broken" : "closed";
  } catch {
    return socket.errored ? "broken" : "open";
  } finally {
    socket.destroy();
  }
}
