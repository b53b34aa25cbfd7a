/** An HTTP proxy: CONNECT tunnels (RFC 9110, 9.3.6) and absolute-form requests. */
import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";

export class FakeProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** What was asked for: `CONNECT host:port`, `POST http://…`. */
  readonly asked: string[] = [];
  readonly credentials: (string | undefined)[] = [];

  private constructor() {
    this.#server = createServer((from, to) => {
      this.asked.push(`${from.method} ${from.url}`);
      this.credentials.push(from.headers["proxy-authorization"]);
      const { "proxy-authorization": _, "proxy-connection": __, ...headers } = from.headers;
      const onward = request(from.url!, { method: from.method, headers }, (answer) => {
        to.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(to);
      });
      onward.on("error", () => to.destroy());
      from.pipe(onward);
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    this.#server.on("connect", (asked, from: Socket, head: Buffer) => {
      this.asked.push(`CONNECT ${asked.url}`);
      this.credentials.push(asked.headers["proxy-authorization"]);
      const { hostname, port } = new URL(`http://${asked.url}`);
      const to = connect(Number(port), hostname, () => {
        from.write("HTTP/1.1 200 Connection established\r\n\r\n");
        to.write(head);
        to.pipe(from).pipe(to);
      });
      to.on("error", () => from.destroy());
      from.on("error", () => to.destroy());
    });
  }

  static async start(): Promise<FakeProxy> {
    const proxy = new FakeProxy();
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
