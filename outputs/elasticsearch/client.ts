/** One way to every request: `@elastic/elasticsearch`, imported at the first one, without its parsing, its retries and its time-outs. */
import type { Client, TransportRequestParams } from "@elastic/elasticsearch";
import type { Sending } from "../shared/exchange.ts";
import { withoutSecrets } from "../shared/secrets.ts";
import { tlsReason } from "../shared/tls.ts";
import type { ElasticsearchOptions } from "./options.ts";

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
  /** More than one node was sent it: an earlier one may have stored the records and died before it said so. */
  readonly resent: boolean;
}

export interface Ask {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly query?: Record<string, string>;
  /** JSON, unless `sending` says that it is the body of a bulk request. */
  readonly body?: string | Buffer;
  readonly sending?: Sending;
  readonly gzipped?: boolean;
  /** The answer is wanted byte by byte: nothing of it is said. */
  readonly verbatim?: boolean;
}

/**
 * Plain media types: with its own, versioned ones (`compatible-with=9`) this client cannot talk to an Elasticsearch 8.
 */
const ACCEPT = "application/json";
const JSON_TYPE = "application/json";
const NDJSON_TYPE = "application/x-ndjson";

/** Every status but those after which the client is to try the next node. */
const KEEP_STATUS = Array.from({ length: 200 }, (_, i) => 400 + i).filter((s) => s !== 502 && s !== 503 && s !== 504);

export class ElasticsearchClient {
  readonly #options: ElasticsearchOptions;
  #client: Promise<Client> | undefined;
  #closed = false;

  constructor(options: ElasticsearchOptions) {
    this.#options = options;
  }

  /** Resolves with any HTTP answer; throws, with a reason a person can act on, where there was none. */
  async ask({ method, path, query, body, sending, gzipped, verbatim }: Ask, signal: AbortSignal): Promise<Reply> {
    if (this.#closed) throw new Error("closed");
    this.#client ??= this.#connect();
    const client = await this.#client;
    const params: TransportRequestParams = { method, path, ...(query && { querystring: query }) };
    if (body !== undefined) params.body = body;
    const headers: Record<string, string> = { accept: ACCEPT, "content-type": sending ? NDJSON_TYPE : JSON_TYPE };
    if (gzipped) {
      headers["content-encoding"] = "gzip";
      headers["accept-encoding"] = "gzip";
    }
    // Asked for at every request: a secret from a file may have been renewed.
    const authorization = this.#authorization();
    if (authorization !== undefined) headers.authorization = authorization;
    const secrets = this.#secrets(authorization);
    const reply = (status: number, retryAfter: unknown, text: unknown): Reply => {
      const said = typeof text === "string" ? text : "";
      return {
        status,
        text: verbatim && status === 200 ? said : withoutSecrets(said, secrets),
        retryAfter: typeof retryAfter === "string" ? retryAfter : undefined,
        resent: sending !== undefined && sending.begun > 1,
      };
    };
    try {
      const {
        statusCode,
        headers: answered,
        body: text,
      } = await client.transport.request(params, {
        meta: true,
        signal,
        headers,
        ignore: KEEP_STATUS,
        ...(sending && { context: sending as unknown as Record<string, unknown> }),
      });
      return reply(statusCode ?? 0, answered["retry-after"], text);
    } catch (error) {
      const { name, meta: failed } = error as ClientError;
      if (name === "ResponseError" && failed) {
        return reply(failed.statusCode, failed.headers?.["retry-after"], failed.body);
      }
      // A node that takes requests and never answers ends as an abort, after which the client would go on using it.
      if (signal.aborted) {
        const node = client.connectionPool.connections.find(({ id }) => id === failed?.meta.connection?.id);
        if (node) client.connectionPool.markDead(node);
      }
      throw new Error(readable(error as Error));
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const client = this.#client;
    this.#client = undefined;
    await (await client)?.close();
  }

  async #connect(): Promise<Client> {
    const [elastic, { connectionClass }] = await Promise.all([
      import("@elastic/elasticsearch"),
      import("./connection.ts"),
    ]);
    /** Answers stay text: the usual bulk answer is recognised without parsing it. */
    class TextSerializer extends elastic.Serializer {
      override deserialize<T>(text: string): T {
        return text as T;
      }
    }
    const { url, tls } = this.#options;
    return new elastic.Client({
      nodes: url,
      Connection: connectionClass(elastic, tls),
      // Round robin over the nodes that live; the others are tried again after a minute.
      ConnectionPool: elastic.ClusterConnectionPool,
      Serializer: TextSerializer,
      // Redaction walks through every byte of the body that an error refers to: a second of CPU per megabyte. No error of the client
      // leaves this file; what is thrown on has its message alone.
      redaction: { type: "off" },
      resurrectStrategy: "optimistic",
      // The lane retries; here a request only goes on to the nodes that are left, without waiting.
      maxRetries: url.length - 1,
    });
  }

  #authorization(): string | undefined {
    const { api_key, bearer, username, password } = this.#options;
    if (api_key) return `ApiKey ${api_key.reveal().trim()}`;
    if (bearer) return `Bearer ${bearer.reveal().trim()}`;
    if (username === undefined || !password) return undefined;
    return `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString("base64")}`;
  }

  /** As they are sent, and as they were given. */
  #secrets(authorization: string | undefined): string[] {
    const { password } = this.#options;
    const sent = authorization === undefined ? [] : [authorization.slice(authorization.indexOf(" ") + 1)];
    return password ? [...sent, password.reveal()] : sent;
  }
}

/** What the client's errors have in common. */
interface ClientError {
  readonly name: string;
  readonly meta?: {
    readonly statusCode: number;
    readonly headers: Record<string, unknown> | undefined;
    readonly body: unknown;
    readonly meta: { readonly connection: { readonly id: string } | null };
  };
}

function readable(error: Error): string {
  if (error.name !== "ProductNotSupportedError") return tlsReason(error.message);
  return "the answer does not come from Elasticsearch (no X-Elastic-Product header): a proxy, a login page, or another product";
}
