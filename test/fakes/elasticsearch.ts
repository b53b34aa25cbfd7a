/**
 * An Elasticsearch as far as a log shipper sees it: bulk `create` by id, 409 for a repeat, `_mget`, `_count`, templates and policies; and all
 * the ways in which one fails. Documents keep the exact bytes that were sent.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";

export type FailMode =
  /** Every request is answered 503. */
  | "unavailable"
  /** Every bulk request is answered 429, with Retry-After. */
  | "throttled"
  /** Documents that hold `refuse` get an error of their own. */
  | "refused"
  /** Requests are read and never answered. */
  | "hang"
  /** Connections are closed in the middle of a request. */
  | "drop"
  /** Every request is answered 401. */
  | "unauthorized"
  /** Bulk requests are stored, and the connection closed instead of answering. */
  | "silent"
  /** Every other document is answered 429. */
  | "busy_items"
  /** Documents are refused because the index is read-only. */
  | "read_only"
  /** A proxy answers with a page of its own, and 200. */
  | "login_page";

export interface FakeOptions {
  /** Text of documents that mode `refused` refuses. */
  readonly refuse?: string;
  /** Only this Authorization header is let in. */
  readonly authorization?: string;
  /** Larger bodies (as sent) are answered 413. */
  readonly maxBytes?: number;
  readonly retryAfter?: string;
  readonly version?: string;
  readonly tls?: ServerOptions;
}

export interface FakeDocument {
  readonly index: string;
  readonly id: string;
  readonly source: string;
}

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
  /** As it came, decompressed. */
  readonly body: Buffer;
}

type Answer = { status: number; text: string; headers?: Record<string, string> };
type Item = { create: { status: number; error?: object } };

export class FakeElasticsearch {
  readonly #options: FakeOptions;
  readonly #byId = new Map<string, FakeDocument>();
  readonly #managed = new Map<string, object>();
  #server: Server;
  #mode: FailMode | undefined;
  #early: { status: number; bodies: Buffer[][]; open: Set<Promise<void>> } | undefined;
  #script: Answer[] = [];
  port = 0;
  /** The lifecycle policy of each index there is said to be. */
  readonly policies = new Map<string, string | undefined>();
  /** In the order of their arrival. */
  readonly documents: FakeDocument[] = [];
  readonly requests: FakeRequest[] = [];

  private constructor(options: FakeOptions) {
    this.#options = options;
    this.#server = this.#listener();
  }

  static async start(options: FakeOptions = {}): Promise<FakeElasticsearch> {
    const fake = new FakeElasticsearch(options);
    await fake.#listen(0);
    return fake;
  }

  get url(): string {
    return `${this.#options.tls ? "https" : "http"}://127.0.0.1:${this.port}`;
  }

  get(index: string, id: string): FakeDocument | undefined {
    return this.#byId.get(`${index}/${id}`);
  }

  /** Puts a document there behind the agent's back. */
  put(document: FakeDocument): void {
    this.#byId.set(`${document.index}/${document.id}`, document);
  }

  /** Puts a template or a policy there; `path` as in its request. */
  manage(path: string, body: object): void {
    this.#managed.set(path, body);
  }

  fail(mode: FailMode): void {
    this.#mode = mode;
  }

  heal(): void {
    this.#mode = undefined;
    this.#early = undefined;
    this.#script = [];
  }

  /** Answers the next bulk requests with these, whatever they hold; nothing is stored. */
  answerBulk(...answers: Answer[]): void {
    this.#script.push(...answers);
  }

  /** From now on bulk requests are answered before they are read, and then read slowly. */
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
    return this.#options.tls ? createTlsServer(this.#options.tls, handle) : createServer(handle);
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", resolve);
    });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname: path, searchParams: query } = new URL(request.url ?? "/", "http://fake");
    const bulk = path.endsWith("/_bulk");
    if (bulk && this.#early) return await this.#answerEarly(this.#early, request, response);
    if (this.#mode === "drop") {
      const { socket } = request;
      for await (const _ of request) break;
      socket.destroy();
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    const body = request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent;
    const { method = "GET", headers } = request;
    this.requests.push({ method, path, query, headers, body });
    const answer = this.#answer(method, path, headers, body, sent.length);
    if (answer === "close") request.socket.destroy();
    else if (answer) send(response, answer);
  }

  #answer(
    method: string,
    path: string,
    headers: IncomingMessage["headers"],
    body: Buffer,
    sent: number,
  ): Answer | "close" | undefined {
    const { authorization, maxBytes = Infinity, retryAfter = "2" } = this.#options;
    const bulk = path.endsWith("/_bulk");
    const wrong = authorization !== undefined && headers.authorization !== authorization;
    if (this.#mode === "unauthorized" || wrong) {
      return error(401, "security_exception", `unable to authenticate user for REST request [${path}]`);
    }
    if (this.#mode === "hang") return undefined;
    if (this.#mode === "unavailable") return error(503, "cluster_block_exception", "blocked by: no master");
    if (this.#mode === "login_page") {
      return { status: 200, text: "<html>Please log in</html>", headers: { "content-type": "text/html" } };
    }
    if (!bulk) return this.#other(method, path, body);
    if (this.#mode === "throttled") {
      const answer = error(429, "es_rejected_execution_exception", "rejected execution");
      return { ...answer, headers: { "retry-after": retryAfter } };
    }
    if (sent > maxBytes) return { status: 413, text: "" };
    const scripted = this.#script.shift();
    if (scripted) return scripted;
    const items = this.#bulk(body);
    if (this.#mode === "silent") return "close";
    return ok({ errors: items.some(({ create }) => create.error !== undefined), items });
  }

  #bulk(body: Buffer): Item[] {
    const lines = body.toString("utf8").split("\n");
    if (lines.pop() !== "") throw new Error("the bulk request must be terminated by a newline");
    const items: Item[] = [];
    for (let i = 0; i < lines.length; i += 2) {
      const { create } = JSON.parse(lines[i]!) as { create: { _index: string; _id: string } };
      items.push({ create: this.#create(create._index, create._id, lines[i + 1]!, i / 2) });
    }
    return items;
  }

  #create(index: string, id: string, source: string, position: number): Item["create"] {
    const { refuse } = this.#options;
    if (this.#mode === "busy_items" && position % 2 === 1) {
      return itemError(429, "es_rejected_execution_exception", "rejected execution of coordinating operation");
    }
    if (this.#mode === "read_only") {
      return itemError(403, "cluster_block_exception", `index [${index}] blocked by: [FORBIDDEN/8/index write (api)];`);
    }
    if (this.#mode === "refused" && refuse !== undefined && source.includes(refuse)) {
      return itemError(
        400,
        "document_parsing_exception",
        `[1:9] failed to parse field [text] in document with id '${id}'`,
      );
    }
    try {
      JSON.parse(source);
    } catch {
      return itemError(400, "document_parsing_exception", "failed to parse");
    }
    const key = `${index}/${id}`;
    if (this.#byId.has(key)) {
      const reason = `[${id}]: version conflict, document already exists (current version [1])`;
      const { error: conflict } = itemError(409, "version_conflict_engine_exception", reason);
      return { status: 409, error: { ...conflict, index } };
    }
    const document = { index, id, source };
    this.#byId.set(key, document);
    this.documents.push(document);
    return { status: 201 };
  }

  #other(method: string, path: string, body: Buffer): Answer {
    if (path === "/") {
      return ok({ version: { number: this.#options.version ?? "9.5.3" }, tagline: "You Know, for Search" });
    }
    if (path === "/_mget") {
      const { docs } = JSON.parse(body.toString()) as { docs: { _index: string; _id: string }[] };
      // Put together as text: the source comes back byte by byte.
      const found = docs.map(({ _index, _id }) => {
        const source = this.get(_index, _id)?.source;
        return `{"_index":${JSON.stringify(_index)},"_id":${JSON.stringify(_id)},"found":${source !== undefined}${
          source === undefined ? "" : `,"_source":${source}`
        }}`;
      });
      return { ...ok({}), text: `{"docs":[${found.join(",")}]}` };
    }
    const count = /^\/([^/]+)\/_count$/.exec(path);
    if (count) {
      const pattern = new RegExp(`^${decodeURIComponent(count[1]!).replaceAll(".", "\\.").replaceAll("*", ".*")}$`);
      return ok({ count: this.documents.filter(({ index }) => pattern.test(index)).length });
    }
    if (path === "/_security/user/_has_privileges") return ok({ has_all_requested: true, cluster: {}, index: {} });
    if (path.includes("/_settings/")) {
      const settings = (name: string | undefined) => ({ "index.creation_date": "1", "index.lifecycle.name": name });
      return ok(Object.fromEntries([...this.policies].map(([index, name]) => [index, { settings: settings(name) }])));
    }
    const managed = /^\/(_ilm\/policy|_index_template)\/([^/]+)$/.exec(path);
    if (!managed) return error(400, "illegal_argument_exception", `no handler found for uri [${path}]`);
    const name = decodeURIComponent(managed[2]!);
    if (method === "PUT") {
      this.#managed.set(path, JSON.parse(body.toString()) as object);
      return ok({ acknowledged: true });
    }
    const there = this.#managed.get(path);
    if (!there) return error(404, "resource_not_found_exception", `[${name}] not found`);
    return ok(
      managed[1] === "_index_template" ? { index_templates: [{ name, index_template: there }] } : { [name]: there },
    );
  }

  async #answerEarly(
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
}

function send(response: ServerResponse, { status, text, headers }: Answer): void {
  response.writeHead(status, {
    "content-type": "application/json",
    ...(status < 300 && headers?.["content-type"] !== "text/html" && { "x-elastic-product": "Elasticsearch" }),
    ...headers,
  });
  response.end(text);
}

function ok(body: object): Answer {
  return { status: 200, text: JSON.stringify(body) };
}

function error(status: number, type: string, reason: string): Answer {
  return { status, text: JSON.stringify({ error: { type, reason }, status }) };
}

function itemError(
  status: number,
  type: string,
  reason: string,
): { status: number; error: { type: string; reason: string } } {
  return { status, error: { type, reason } };
}
