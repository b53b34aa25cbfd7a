/** A syslog receiver: RFC 6587 and RFC 5425 framing, datagrams, NUL-ended messages, and RELP with its acknowledgements. Messages are kept as they came. */
import { createSocket, type Socket as Datagrams } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

export type SyslogMode =
  /** Connections are refused. */
  | "unavailable"
  /** Nothing is read, and with RELP nothing is answered. */
  | "hang"
  /** Connections are reset as soon as something comes. */
  | "drop";

export interface FakeSyslogOptions {
  readonly protocol: "udp" | "tcp" | "tls" | "relp";
  readonly framing?: "octet_counting" | "newline" | "nul";
  readonly tls?: TlsOptions;
}

export class FakeSyslog {
  readonly #options: FakeSyslogOptions;
  readonly #sockets = new Set<Socket>();
  readonly #below = new Set<Socket>();
  #server: Server | Datagrams | undefined;
  #mode: SyslogMode | undefined;
  port = 0;
  /** In the order of their arrival. */
  readonly messages: Buffer[] = [];
  connections = 0;

  private constructor(options: FakeSyslogOptions) {
    this.#options = options;
  }

  static async start(options: FakeSyslogOptions): Promise<FakeSyslog> {
    const fake = new FakeSyslog(options);
    await fake.#listen();
    return fake;
  }

  async fail(mode: SyslogMode): Promise<void> {
    this.#mode = mode;
    if (mode === "unavailable") await this.stop();
    else for (const socket of this.#sockets) this.#meet(socket);
  }

  async heal(): Promise<void> {
    this.#mode = undefined;
    for (const socket of this.#sockets) socket.resume();
    if (!this.#server) await this.#listen();
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.#listen();
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (!server) return;
    const closed = once(server, "close");
    server.close();
    for (const socket of this.#below) socket.resetAndDestroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const { protocol, tls } = this.#options;
    if (protocol === "udp") {
      const socket = createSocket("udp4");
      socket.on("message", (message) => void this.messages.push(message));
      socket.bind(this.port, "127.0.0.1");
      await once(socket, "listening");
      socket.setRecvBufferSize(4 * 1024 * 1024);
      this.port = socket.address().port;
      this.#server = socket;
      return;
    }
    const accept = (socket: Socket) => this.#accept(socket);
    const server = tls ? createTlsServer(tls, accept) : createServer(accept);
    // Of a TLS connection only the one below can be reset.
    server.on("connection", (socket: Socket) => {
      this.#below.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#below.delete(socket));
    });
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  #accept(socket: Socket): void {
    this.connections++;
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => undefined);
    let rest: Buffer = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      if (this.#mode === "drop") {
        for (const below of this.#below) below.resetAndDestroy();
        return;
      }
      rest = Buffer.concat([rest, chunk]);
      rest = this.#options.protocol === "relp" ? this.#relp(rest, socket) : this.#frames(rest);
    });
    this.#meet(socket);
  }

  #meet(socket: Socket): void {
    if (this.#mode === "hang") socket.pause();
  }

  #frames(bytes: Buffer): Buffer {
    const { framing = "octet_counting" } = this.#options;
    let rest = bytes;
    for (;;) {
      if (framing === "octet_counting") {
        const head = /^(\d{1,9}) /.exec(rest.toString("latin1", 0, 12));
        if (!head || rest.length < head[0].length + Number(head[1])) return rest;
        this.messages.push(rest.subarray(head[0].length, head[0].length + Number(head[1])));
        rest = rest.subarray(head[0].length + Number(head[1]));
      } else {
        const end = rest.indexOf(framing === "nul" ? 0 : 0x0a);
        if (end < 0) return rest;
        this.messages.push(rest.subarray(0, end));
        rest = rest.subarray(end + 1);
      }
    }
  }

  #relp(bytes: Buffer, socket: Socket): Buffer {
    let rest = bytes;
    for (;;) {
      const head = /^(\d{1,9}) (\w+) (\d{1,9})( |\n)/.exec(rest.toString("latin1", 0, 64));
      if (!head) return rest;
      const length = Number(head[3]);
      const start = head[4] === " " ? head[0].length : head[0].length - 1;
      if (rest.length < start + length + 1) return rest;
      const data = rest.subarray(start, start + length);
      rest = rest.subarray(start + length + 1);
      if (head[2] === "syslog") this.messages.push(data);
      const text = head[2] === "open" ? `200 OK\n${data}` : "200 OK";
      socket.write(
        head[2] === "close" ? `${head[1]} rsp 0\n0 serverclose 0\n` : `${head[1]} rsp ${text.length} ${text}\n`,
      );
      if (head[2] === "close") socket.end();
    }
  }
}
