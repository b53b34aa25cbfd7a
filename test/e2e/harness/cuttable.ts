import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/**
 * A way to a server that can be cut (its connections are broken where they are, new ones refused) or stalled (they stay open, and nothing moves
 * any more), until it is mended.
 */
export class Cuttable {
  readonly #target: URL;
  readonly #sockets = new Set<Socket>();
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #stalled = false;
  #server: Server | undefined;
  #port = 0;

  private constructor(target: URL) {
    this.#target = target;
  }

  static async to(target: string): Promise<Cuttable> {
    const made = new Cuttable(new URL(target));
    await made.mend();
    onTestFinished(() => made.cut());
    return made;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Half-open: nobody is told of anything. */
  stall(): void {
    this.#stalled = true;
    for (const pair of this.#pairs) halt(pair);
  }

  async mend(): Promise<void> {
    // What hung is of no use to anybody any more.
    if (this.#stalled) await this.cut();
    this.#stalled = false;
    if (this.#server) return;
    this.#server = createServer((from) => {
      const to = connect(Number(this.#target.port || 80), this.#target.hostname);
      for (const [socket, other] of [
        [from, to],
        [to, from],
      ] as const) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.once("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      const pair = [from, to] as const;
      this.#pairs.add(pair);
      from.once("close", () => this.#pairs.delete(pair));
      from.pipe(to).pipe(from);
      if (this.#stalled) halt(pair);
    }).listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

function halt([from, to]: readonly [Socket, Socket]): void {
  from.unpipe(to).pause();
  to.unpipe(from).pause();
}
