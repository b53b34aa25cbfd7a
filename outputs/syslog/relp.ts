/**
 * RELP, rsyslog's protocol with acknowledgements: each message is a transaction that the server answers when it has taken it over.
 *   request   TXNR SP COMMAND SP DATALEN [SP DATA] LF        answer   TXNR SP "rsp" SP DATALEN [SP CODE [SP TEXT] [LF …]] LF
 * https://github.com/rsyslog/librelp/blob/master/doc/relp.html
 */
import type { Socket } from "node:net";
import { ByteWriter } from "../shared/writer.ts";
import type { Connector } from "./connect.ts";
import { explain, type Frames, NONE, type Transport, unlessAborted } from "./transport.ts";

/** Transaction numbers have nine digits at most. */
const LAST_NUMBER = 999_999_999;
/** Messages without an answer at a time. */
const WINDOW = 1_000;
/** An answer longer than this is none. */
const MAX_ANSWER = 128 * 1024;
const CLOSE_MS = 2_000;
const OFFERS: Frames = frame("relp_version=0\nrelp_software=audit-agent\ncommands=syslog");
const NOTHING: Frames = frame("");

interface Answer {
  readonly number: number;
  readonly command: string;
  readonly data: string;
}

export class RelpTransport implements Transport {
  readonly #connector: Connector;
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connector: Connector) {
    this.#connector = connector;
  }

  send(frames: Frames, signal: AbortSignal): Promise<readonly number[]> {
    return this.#inTurn(async () => {
      const session = await this.#opened(signal);
      try {
        for (let from = 0; from < frames.ends.length; from += WINDOW) {
          const to = Math.min(from + WINDOW, frames.ends.length);
          await unlessAborted(session.ask("syslog", frames, from, to), signal);
        }
        return NONE;
      } catch (error) {
        session.destroy();
        this.#session = undefined;
        // One that opens sessions and acknowledges nothing would hold everything for ever.
        this.#connector.next();
        throw error;
      }
    });
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#inTurn(() => this.#opened(signal));
  }

  async close(): Promise<void> {
    await this.#turn.catch(() => undefined);
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #opened(signal: AbortSignal): Promise<Session> {
    if (this.#session?.whole) return this.#session;
    this.#session?.destroy();
    this.#session = undefined;
    const session = new Session(await this.#connector.connect(signal));
    try {
      await unlessAborted(session.ask("open", OFFERS), signal);
    } catch (error) {
      session.destroy();
      this.#connector.next();
      throw error;
    }
    this.#session = session;
    return session;
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(action, action);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** Requests that wait for their answers: numbers from `first` on, in the order of sending. */
interface Waiting {
  readonly first: number;
  readonly answered: Uint8Array;
  left: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Session {
  readonly #socket: Socket;
  #waiting: Waiting | undefined;
  #number = 0;
  #rest: Buffer = Buffer.alloc(0);
  #broken: Error | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#break(new Error(explain(error))));
    socket.on("end", () => this.#break(new Error("the server closed the connection")));
    socket.on("close", () => this.#break(new Error("the server closed the connection")));
  }

  get whole(): boolean {
    return this.#broken === undefined && this.#socket.writable;
  }

  /** Sends a request for each of the frames `from` to `to` (exclusive); resolves when every one is answered 200. One call at a time. */
  ask(command: string, { bytes, ends }: Frames, from = 0, to = ends.length): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#broken) {
      reject(this.#broken);
      return promise;
    }
    // Numbers of one call are consecutive: where they would pass the last one, they begin anew.
    if (this.#number + to - from > LAST_NUMBER) this.#number = 0;
    this.#waiting = { first: this.#number + 1, answered: new Uint8Array(to - from), left: to - from, resolve, reject };
    let start = from === 0 ? 0 : ends[from - 1]!;
    const requests = new ByteWriter(ends[to - 1]! - start + (to - from) * 32);
    for (let i = from; i < to; i++) {
      const end = ends[i]!;
      requests.ascii(`${++this.#number} ${command} ${end - start}${end > start ? " " : ""}`);
      requests.bytes(bytes, start, end);
      requests.byte(0x0a);
      start = end;
    }
    this.#socket.write(requests.take());
    return promise;
  }

  async close(): Promise<void> {
    // What the server says to it is of no interest any more, only that it has read it.
    if (this.whole)
      await unlessAborted(this.ask("close", NOTHING), AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#break(new Error("closed"));
  }

  #read(chunk: Buffer): void {
    if (this.#broken) return;
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (!this.#broken) {
      const found = answerIn(this.#rest);
      if (found === undefined) return;
      if (found === "invalid") {
        this.#break(new Error("the server does not speak RELP"));
        return;
      }
      this.#rest = this.#rest.subarray(found.end);
      this.#answer(found.answer);
    }
  }

  #answer({ number, command, data }: Answer): void {
    if (command === "serverclose") {
      this.#break(new Error("the server closes the session"));
      return;
    }
    const waiting = this.#waiting;
    const at = waiting === undefined ? -1 : number - waiting.first;
    if (command !== "rsp" || waiting === undefined || waiting.answered[at] !== 0) return;
    if (!/^200(?:[ \n]|$)/.test(data)) {
      const said = data.split("\n", 1)[0]!.slice(0, 200);
      this.#waiting = undefined;
      waiting.reject(new Error(`the server answered ${said || "nothing"}`));
      return;
    }
    waiting.answered[at] = 1;
    if (--waiting.left > 0) return;
    this.#waiting = undefined;
    waiting.resolve();
  }

  /** For good: nothing more is read, whatever the other side goes on to send. */
  #break(error: Error): void {
    if (this.#broken) return;
    this.#broken = error;
    this.#socket.destroy();
    this.#rest = Buffer.alloc(0);
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

function frame(data: string): Frames {
  return { bytes: Buffer.from(data), ends: [Buffer.byteLength(data)] };
}

/** The first whole answer; undefined where it is not whole yet. */
function answerIn(bytes: Buffer): { answer: Answer; end: number } | "invalid" | undefined {
  const head = /^(\d{1,9}) ([A-Za-z]{1,32}) (\d{1,9})([ \n])/.exec(bytes.toString("latin1", 0, 64));
  if (!head)
    return bytes.length >= 64 || !/^\d{0,9}( [A-Za-z]{0,32}( \d{0,9})?)?$/.test(bytes.toString("latin1"))
      ? "invalid"
      : undefined;
  const length = Number(head[3]);
  if (length > MAX_ANSWER) return "invalid";
  // Without data the line ends behind the length.
  const start = length === 0 && head[4] === "\n" ? head[0].length - 1 : head[0].length;
  const end = start + length + 1;
  if (bytes.length < end) return undefined;
  if (bytes[end - 1] !== 0x0a) return "invalid";
  return { answer: { number: Number(head[1]), command: head[2]!, data: bytes.toString("utf8", start, end - 1) }, end };
}
