/**
 * RELP, rsyslog's protocol with acknowledgements: each message is a transaction that the server answers when it has taken it over.
 *   request   TXNR SP COMMAND SP DATALEN [SP DATA] LF        answer   TXNR SP "rsp" SP DATALEN [SP CODE [SP TEXT] [LF …]] LF
 * https://github.com/rsyslog/librelp/blob/master/doc/relp.html
 */
import type { Socket } from "node:net";
import type { Failure } from "../../agent/api/output.ts";
import { ByteWriter } from "../shared/writer.ts";
import type { Connector } from "./connect.ts";
import { explain, type Failures, type Frames, NONE, type Transport, unlessAborted } from "./transport.ts";

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

/** Called with a frame's index and what the server said to it. */
type OnAnswer = (index: number, said: string) => void;

export class RelpTransport implements Transport {
  readonly #connector: Connector;
  readonly #lastNumber: number;
  #session: Session | undefined;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(connector: Connector, lastNumber = LAST_NUMBER) {
    this.#connector = connector;
    this.#lastNumber = lastNumber;
  }

  send(frames: Frames, signal: AbortSignal): Promise<Failures> {
    return this.#inTurn(async () => {
      const session = await this.#opened(signal);
      const count = frames.ends.length;
      const answered = new Uint8Array(count);
      const failed = new Map<number, Failure>();
      const onAnswer = (index: number, said: string) => {
        answered[index] = 1;
        if (!isYes(said)) failed.set(index, { action: "retry", reason: refusal(said) });
      };
      try {
        for (let from = 0; from < count; from += WINDOW) {
          const to = Math.min(from + WINDOW, count);
          await unlessAborted(session.ask("syslog", frames, onAnswer, from, to), signal);
        }
        frames.done?.();
        // Refused one and all: then it is the server.
        if (failed.size === count) throw new Error(failed.get(0)!.reason);
        this.#connector.good();
      } catch (error) {
        session.destroy();
        this.#session = undefined;
        // One that opens sessions and acknowledges nothing would hold everything for ever.
        this.#connector.next();
        const acknowledged = answered.reduce((sum, one) => sum + one, 0) - failed.size;
        if (signal.aborted || acknowledged === 0) throw error;
        // What was acknowledged is not sent again.
        const reason = explain(error as Error);
        for (let i = 0; i < count; i++) if (answered[i] === 0) failed.set(i, { action: "retry", reason });
      }
      return failed.size > 0 ? failed : NONE;
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
    const before = this.#session;
    let socket: Socket | undefined;
    if (before?.whole) {
      socket = await this.#connector.better(signal);
      if (socket === undefined) return before;
      await before.close();
    } else before?.destroy();
    this.#session = undefined;
    const session = new Session(socket ?? (await this.#connector.connect(signal)), this.#lastNumber);
    try {
      await unlessAborted(session.open(), signal);
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
  readonly onAnswer: OnAnswer;
  /** Index of the first one's frame. */
  readonly from: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class Session {
  readonly #socket: Socket;
  readonly #lastNumber: number;
  #waiting: Waiting | undefined;
  #number = 0;
  #rest: Buffer = Buffer.alloc(0);
  #broken: Error | undefined;

  constructor(socket: Socket, lastNumber: number) {
    this.#socket = socket;
    this.#lastNumber = lastNumber;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#break(new Error(explain(error))));
    socket.on("end", () => this.#break(new Error("the server closed the connection")));
    socket.on("close", () => this.#break(new Error("the server closed the connection")));
  }

  get whole(): boolean {
    return this.#broken === undefined && this.#socket.writable;
  }

  async open(): Promise<void> {
    let answer = "";
    await this.ask("open", OFFERS, (_, said) => {
      answer = said;
    });
    if (!isYes(answer)) throw new Error(refusal(answer));
    const commands = /^commands=(.*)$/m.exec(answer)?.[1];
    if (commands !== undefined && !commands.trim().split(/ *, */).includes("syslog"))
      throw new Error("the server takes no syslog messages");
  }

  /** Sends a request for each of the frames `from` to `to` (exclusive); resolves when every one is answered. One call at a time. */
  ask(
    command: string,
    { bytes, ends }: Frames,
    onAnswer: OnAnswer = () => undefined,
    from = 0,
    to = ends.length,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#broken) {
      reject(this.#broken);
      return promise;
    }
    const count = to - from;
    const first = (this.#number % this.#lastNumber) + 1;
    this.#waiting = { first, answered: new Uint8Array(count), left: count, onAnswer, from, resolve, reject };
    let start = from === 0 ? 0 : ends[from - 1]!;
    const requests = new ByteWriter(ends[to - 1]! - start + count * 32);
    for (let i = from; i < to; i++) {
      const end = ends[i]!;
      this.#number = (this.#number % this.#lastNumber) + 1;
      requests.ascii(`${this.#number} ${command} ${end - start}${end > start ? " " : ""}`);
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
    if (command !== "rsp" || waiting === undefined || number < 1 || number > this.#lastNumber) return;
    // The number after the last one is 1.
    const at = (number - waiting.first + this.#lastNumber) % this.#lastNumber;
    if (waiting.answered[at] !== 0) return;
    waiting.answered[at] = 1;
    waiting.onAnswer(waiting.from + at, data);
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

/** Nothing but 200 is an acknowledgement. */
function isYes(said: string): boolean {
  return /^200(?:[ \n]|$)/.test(said);
}

function refusal(said: string): string {
  return `the server answered ${said.split("\n", 1)[0]!.slice(0, 200) || "nothing"}`;
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
