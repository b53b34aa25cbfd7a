/**
 * The client's HTTP connection, made anew for two reasons. A request body is a pooled buffer, which may be used again only when the
 * operating system has all of it: `Sending.sent` says so. And an answer that comes before the body is out (413, 429) ends the request at
 * once: the connection is destroyed, the answer counts, and the buffer is given up. The client's own connections either settle while
 * they still send, or wait for the end of a body that nobody reads any more and lose the answer.
 */
import * as http from "node:http";
import * as https from "node:https";
import { gunzip } from "node:zlib";
import type {
  BaseConnection,
  ConnectionOptions,
  ConnectionRequestOptions,
  ConnectionRequestOptionsAsStream,
  ConnectionRequestParams,
  ConnectionRequestResponse,
  ConnectionRequestResponseAsStream,
} from "@elastic/elasticsearch";
import type { TlsOptions } from "../../agent/api/options.ts";
import { agentsFor } from "../shared/agents.ts";

type Elastic = typeof import("@elastic/elasticsearch");

/** Given as a request's `context`; one per request, not per attempt. */
export interface Sending {
  /** False as soon as an attempt ended without its whole body handed to the operating system. */
  sent: boolean;
  /** Attempts that had a connection: a node may have stored what it was sent. */
  begun: number;
  /** The server is asked whether it wants the body before it is sent (RFC 9110, 10.1.1). */
  readonly asking: boolean;
  /** A connection broke while the body was on its way; an answer may have been lost with it. */
  broken: boolean;
}

/** An answer larger than this is none of a bulk request's. */
const MAX_ANSWER = 256 * 1024 * 1024;
/** How long a server that was asked may think before the body is sent all the same. */
const ASKED_MS = 1_000;
/** A refusal is read no further. */
const MAX_REFUSAL = 1024 * 1024;

/** The class, made from the lazily imported library. */
export function connectionClass(elastic: Elastic, tls: TlsOptions | undefined): typeof BaseConnection {
  const { BaseConnection: Base, errors } = elastic;

  return class PooledBodyConnection extends Base {
    readonly #secure: boolean;
    readonly #agent: http.Agent;
    readonly #prefix: string;

    constructor(options: ConnectionOptions) {
      super(options);
      this.#secure = this.url.protocol === "https:";
      this.#prefix = this.url.pathname.replace(/\/+$/, "");
      const { httpAgent, httpsAgent } = agentsFor(tls);
      this.#agent = this.#secure ? httpsAgent : httpAgent;
    }

    override request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptions,
    ): Promise<ConnectionRequestResponse>;
    override request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptionsAsStream,
    ): Promise<ConnectionRequestResponseAsStream>;
    override request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptions,
    ): Promise<ConnectionRequestResponse & ConnectionRequestResponseAsStream> {
      const query = params.querystring ? `?${params.querystring}` : "";
      const sending = options.context as Sending | null;
      const body = params.body as string | Buffer | null | undefined;
      const asking = sending?.asking === true && body instanceof Buffer;
      const request = (this.#secure ? https : http).request({
        agent: this.#agent,
        protocol: this.url.protocol,
        // A URL has an IPv6 address in brackets, a socket wants it without.
        hostname: this.url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port: this.url.port === "" ? undefined : this.url.port,
        method: params.method,
        path: `${this.#prefix}${params.path}${query}`,
        headers: asking
          ? { ...params.headers, expect: "100-continue", "content-length": body.length }
          : (params.headers ?? {}),
        ...(asking && { timeout: ASKED_MS }),
      });
      request.setNoDelay(true);
      const { promise, resolve, reject } = Promise.withResolvers<ConnectionRequestResponse>();
      const { signal } = options;
      const abort = () => request.destroy(new errors.RequestAbortedError("stopped"));
      let answered = false;
      // Also after it settled: errors of a destroyed connection must not surface as uncaught.
      request.on("error", (error: NodeJS.ErrnoException) => {
        if (error.name === "RequestAbortedError") reject(error);
        // A server may close behind an early answer, and the rest of the body finds nobody: the answer counts, as far as it came.
        else if (!answered) {
          if (sending && !request.writableFinished && /^(EPIPE|ECONNRESET)$/.test(error.code ?? ""))
            sending.broken = true;
          reject(new errors.ConnectionError(explain(error)));
        }
      });
      request.once("socket", (socket) => {
        const begun = () => {
          if (sending) sending.begun++;
        };
        if (socket.connecting) socket.once("connect", begun);
        else begun();
      });
      request.on("response", (response) => {
        answered = true;
        readBody(response).then(
          (body) => resolve({ body, headers: plainHeaders(response.headers), statusCode: response.statusCode ?? 0 }),
          (error: Error) => reject(new errors.ConnectionError(error.message)),
        );
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
      if (asking) {
        const send = () => {
          if (!answered && !request.writableEnded) request.end(body);
        };
        request.once("continue", send);
        // Servers and proxies that do not know the question say nothing.
        request.once("timeout", send);
        request.flushHeaders();
      } else request.end(body ?? undefined);
      return promise.finally(() => {
        signal?.removeEventListener("abort", abort);
        if (request.writableFinished) return;
        // Answered, failed or stopped before the body was out.
        if (sending) sending.sent = false;
        request.destroy();
      }) as Promise<ConnectionRequestResponse & ConnectionRequestResponseAsStream>;
    }

    override close(): Promise<void> {
      this.#agent.destroy();
      return Promise.resolve();
    }
  } as unknown as typeof BaseConnection;
}

/** The whole body as text, unpacked; of a refusal its beginning. Latin-1 would do for statuses, but reasons quote the documents. */
async function readBody(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  const refusal = response.statusCode !== 200;
  const limit = refusal ? MAX_REFUSAL : MAX_ANSWER;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      // The rest stays unread: leaving the loop closes the connection.
      if (length > limit) break;
    }
  } catch (error) {
    // The server closed behind its refusal, without waiting for the rest of the request: the status counts.
    if (!refusal) throw error;
  }
  if (length > limit && !refusal) throw new Error(`the answer is larger than ${limit} bytes`);
  const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (!/\bgzip\b/i.test(response.headers["content-encoding"] ?? "")) return body.toString("utf8");
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Cut short, or larger than it may be, a refusal still has its status.
  gunzip(body, { maxOutputLength: limit }, (error, plain) =>
    error && !refusal ? reject(error) : resolve(plain?.toString("utf8") ?? ""),
  );
  return await promise;
}

/** Without the encoding, which is undone. */
function plainHeaders(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders {
  const { "content-encoding": _, ...rest } = headers;
  return rest;
}

/** Node's message, which for a host with several addresses is empty. */
function explain(error: NodeJS.ErrnoException): string {
  if (error instanceof AggregateError) return error.errors.map((e: Error) => e.message).join("; ");
  if (error.code === "ECONNRESET") return "the connection was closed before the answer";
  if (error.code === "EPIPE") return "the connection was closed while the request was being sent";
  return error.message;
}
