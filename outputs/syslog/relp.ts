/**
 * RELP, rsyslog's protocol with acknowledgements: each message is a transaction that the server answers when it has taken it over.
 *   request   TXNR SP COMMAND SP DATALEN [SP DATA] LF        answer   TXNR SP "rsp" SP DATALEN [SP CODE [SP TEXT] [LF …]] LF
 * https://github.com/rsyslog/librelp/blob/master/doc/relp.html
 */
import type { Socket } from "node:net";
import type { Connector } from "./connect.ts";
import { explain, type Frames, type Transport, unlessAborted } from "./transport.ts";

/** Transaction numbers have nine digits at most. */
const LAST_NUMBER = 999_999_999;
/** Messages without an answer at a time. */
const WINDOW = 1_000;
/** An answer longer than this is none. */
const MAX_ANSWER = 128 * 1024;
const CLOSE_MS = 2_000;
const OFFERS = "relp_version=0\nrelp_software=audit-agent\ncommands=syslog";

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

  send({ bytes, ends }: Frames, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      const session = await this.#opened(signal);
      try {
        for (let from = 0; from < ends.length; from += WINDOW) {
          const messages: Buffer[] = [];
          for (let i = from; i < Math.min(from + WINDOW, ends.length); i++) {
            messages.push(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]));
          }
          await unlessAborted(session.send(messages), signal);
        }
      } catch (error) {
        session.destroy();
        this.#session = undefined;
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

class Session {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
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

  async open(): Promise<void> {
    const { frame, done } = this.#request("open", Buffer.from(OFFERS));
    this.#socket.write(frame);
    await done;
  }

  /** Resolves when every one of them is acknowledged. */
  async send(messages: readonly Buffer[]): Promise<void> {
    const requests = messages.map((message) => this.#request("syslog", message));
    this.#socket.write(Buffer.concat(requests.map(({ frame }) => frame)));
    await Promise.all(requests.map(({ done }) => done));
  }

  async close(): Promise<void> {
    if (!this.whole) {
      this.destroy();
      return;
    }
    const { frame, done } = this.#request("close", Buffer.alloc(0));
    this.#socket.end(frame);
    await unlessAborted(done, AbortSignal.timeout(CLOSE_MS)).catch(() => undefined);
    this.destroy();
  }

  destroy(): void {
    this.#break(new Error("closed"));
    this.#socket.destroy();
  }

  #request(command: string, data: Buffer): { frame: Buffer; done: Promise<void> } {
    this.#number = this.#number >= LAST_NUMBER ? 1 : this.#number + 1;
    const number = this.#number;
    const head = `${number} ${command} ${data.length}${data.length > 0 ? " " : ""}`;
    const frame = Buffer.concat([Buffer.from(head), data, Buffer.from("\n")]);
    const { promise: done, resolve, reject } = Promise.withResolvers<void>();
    // Met by who awaits it; where several fail at once, only the first is.
    done.catch(() => undefined);
    if (this.#broken) reject(this.#broken);
    else this.#waiting.set(number, { resolve, reject });
    return { frame, done };
  }

  #read(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
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
    const waiting = this.#waiting.get(number);
    if (command !== "rsp" || waiting === undefined) return;
    this.#waiting.delete(number);
    const code = /^\d{3}/.exec(data)?.[0];
    if (code === "200" || (data === "" && number !== 1)) waiting.resolve();
    else waiting.reject(new Error(`the server answered ${data.split("\n", 1)[0]!.slice(0, 200) || "nothing"}`));
  }

  #break(error: Error): void {
    if (this.#broken) return;
    this.#broken = error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
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
