/** What fakes of HTTP services have in common: a server on loopback, and the ways in which any server fails. What it answers is the subclass's. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query as they came. */
  readonly url: string;
  /** Decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** Decompressed. */
  readonly body: Buffer;
  /** Bytes as they came. */
  readonly sent: number;
}

export interface FakeAnswer {
  readonly status: number;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** hang: requests are read and never answered. drop: connections are closed in the middle of a request. */
export type TransportMode = "hang" | "drop";

export abstract class FakeHttpServer<Mode extends string = never> {
  readonly #tls: ServerOptions | undefined;
  #server: Server;
  #early: { status: number; bodies: Buffer[][]; open: Set<Promise<void>> } | undefined;
  #script: FakeAnswer[] = [];
  protected mode: Mode | TransportMode | undefined;
  port = 0;
  /** How long each answer takes. */
  delayMs = 0;
  readonly requests: ReceivedRequest[] = [];

  constructor(tls?: ServerOptions) {
    this.#tls = tls;
    this.#server = this.#listener();
  }

  /** "close": the connection is closed instead of an answer. */
  protected abstract answer(request: ReceivedRequest): FakeAnswer | "close" | Promise<FakeAnswer | "close">;

  /** Whether a request is one that carries records: only those are answered early or by the script. */
  protected carriesRecords(method: string, _path: string): boolean {
    return method !== "GET" && method !== "HEAD";
  }

  async listen(): Promise<this> {
    await this.#listen(0);
    return this;
  }

  get url(): string {
    return `${this.#tls ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  fail(mode: Mode | TransportMode): void {
    this.mode = mode;
  }

  heal(): void {
    this.mode = undefined;
    this.#early = undefined;
    this.#script = [];
  }

  /** Answers the next requests that carry records with these, whatever they hold. */
  script(...answers: FakeAnswer[]): void {
    this.#script.push(...answers);
  }

  /** From now on requests that carry records are answered before they are read, and then read slowly. */
  answerEarly(status: number): { bodies(): readonly Buffer[]; done(): Promise<void> } {
    const early = { status, bodies: [] as Buffer[][], open: new Set<Promise<void>>() };
    this.#early = early;
    return {
      bodies: () => early.bodies.map((chunks) => Buffer.concat(chunks)),
      done: async () => {
        while (early.open.size > 0) await Promise.all(early.open);
      },
    };
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** Stops and starts on the same port; what is stored stays. */
  async restart(): Promise<void> {
    await this.stop();
    this.#server = this.#listener();
    await this.#listen(this.port);
  }

  #listener(): Server {
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      const { socket } = request;
      this.#handle(request, response).catch(() => socket.destroy());
    };
    return this.#tls ? createTlsServer(this.#tls, handle) : createServer(handle);
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams: query } = new URL(request.url ?? "/", "http://fake");
    const path = decodeURIComponent(pathname);
    const { method = "GET", headers } = request;
    const carries = this.carriesRecords(method, path);
    if (carries && this.#early) return await answerEarly(this.#early, request, response);
    if (this.mode === "drop") {
      const { socket } = request;
      for await (const _ of request) break;
      socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    const received = { method, url: request.url ?? "", path, query, headers, body, sent: sent.length };
    this.requests.push(received);
    if (this.mode === "hang") return;
    if (this.delayMs > 0) await delay(this.delayMs);
    const answer = (carries && this.#script.shift()) || (await this.answer(received));
    if (answer === "close") request.socket.destroy();
    else {
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(answer.text);
    }
  }
}

async function answerEarly(
  early: { status: number; bodies: Buffer[][]; open: Set<Promise<void>> },
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const chunks: Buffer[] = [];
  early.bodies.push(chunks);
  const { promise, resolve } = Promise.withResolvers<void>();
  early.open.add(promise);
  request.on("error", () => {});
  try {
    // Complete for the client, not ended for Node, which would throw away the rest of the request.
    response.writeHead(early.status, { "content-type": "application/json", "content-length": 0 }).flushHeaders();
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
      await delay(2);
    }
    // A client that had sent all of it before the answer came may use the connection again.
    response.end();
  } catch {
    // The sender gave up, as it should.
  } finally {
    early.open.delete(promise);
    resolve();
  }
}
