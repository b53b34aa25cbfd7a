/**
 * One HTTP request and its answer, on Node's own http: made for large bodies in memory that is used again. Such a body may be overwritten
 * only when the operating system has all of it: `Sending.sent` says so. And an answer that comes before the body is out (413, 429, a
 * refusal) ends the request at once: the connection is destroyed, the answer counts, and the body's memory is given up. Only a success
 * waits for the rest of the body. HTTP libraries either settle while they still send, or wait for the end of a body that nobody reads any
 * more and lose the answer.
 */
import * as http from "node:http";
import * as https from "node:https";
import { gunzip } from "node:zlib";
import { CONNECT_MS, ConnectTimeout } from "./http-error.ts";

/** What became of a body; one per request, not per attempt. */
export interface Sending {
  /** False as soon as an attempt ended without its whole body handed to the operating system. */
  sent: boolean;
  /** Attempts that had a connection: a server may have stored what it was sent. */
  begun: number;
  /** The server is asked whether it wants the body before it is sent (RFC 9110, 10.1.1). */
  readonly asking: boolean;
  /** A connection broke while the body was on its way; an answer may have been lost with it. */
  broken: boolean;
}

export interface Exchange {
  /** Of its parts only protocol, host and port count. */
  readonly url: URL;
  readonly agent: http.Agent;
  readonly method: string;
  readonly path: string;
  /** With the body's length and encoding, if it has a body. */
  readonly headers: http.OutgoingHttpHeaders;
  readonly body: Buffer | string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly sending: Sending | undefined;
  /** The whole answer of a 200 is wanted: so many bytes at most, more is an error. Else a mebibyte is read, and the rest left. */
  readonly whole?: number;
}

export interface Answer {
  readonly status: number;
  /** Without the encoding, which is undone. */
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

/** How long a server that was asked may think before the body is sent all the same. */
const ASKED_MS = 1_000;
/** More of an answer than this nobody reads, where it is for a person. */
const MAX_TEXT = 1024 * 1024;

/** Rejects with Node's own error, `ConnectTimeout`, or the signal's reason. Throws at once where a header cannot be sent. */
export async function exchange(options: Exchange): Promise<Answer> {
  const { url, body, signal, sending } = options;
  const secure = url.protocol === "https:";
  const asking = sending?.asking === true && body instanceof Buffer;
  signal?.throwIfAborted();
  const request = (secure ? https : http).request({
    agent: options.agent,
    protocol: url.protocol,
    // A URL has an IPv6 address in brackets, a socket wants it without.
    hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? undefined : url.port,
    method: options.method,
    path: options.path,
    headers: asking ? { ...options.headers, expect: "100-continue", "content-length": body.length } : options.headers,
    ...(asking && { timeout: ASKED_MS }),
  });
  request.setNoDelay(true);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  /** The operating system has all of the body. */
  const out = Promise.withResolvers<void>();
  out.promise.catch(() => undefined);
  const abort = () => {
    reject(signal!.reason);
    request.destroy();
  };
  const connecting = setTimeout(() => {
    // Said here: a request that still waits for its proxy's tunnel says nothing when it is destroyed.
    reject(new ConnectTimeout());
    request.destroy();
  }, CONNECT_MS);
  let answered = false;
  // Also after it settled: errors of a destroyed connection must not surface as uncaught.
  request.on("error", (error: NodeJS.ErrnoException) => {
    // A server may close behind an early answer, and the rest of the body finds nobody: the answer counts, as far as it came.
    if (answered) return;
    if (sending && !request.writableFinished && /^(EPIPE|ECONNRESET)$/.test(error.code ?? "")) sending.broken = true;
    reject(error);
  });
  request.once("finish", out.resolve);
  // Also where nothing else is said: of an answer that switches to another protocol.
  request.once("close", () => {
    out.reject(new Error("the server took the request without having all of it: the connection was closed before"));
    if (!answered) reject(Object.assign(new Error("socket hang up"), { code: "ECONNRESET" }));
  });
  request.once("socket", (socket) => {
    const begun = () => {
      clearTimeout(connecting);
      if (sending) sending.begun++;
    };
    if ((socket as { secureConnecting?: boolean }).secureConnecting === true) socket.once("secureConnect", begun);
    else if (socket.connecting) socket.once("connect", begun);
    else begun();
  });
  request.on("response", (response) => {
    answered = true;
    const { statusCode: status = 0, headers } = response;
    readText(response, options.whole)
      .then(async (text) => {
        // Nobody has stored what was not sent: a success counts when the body is out.
        if (status >= 200 && status < 300) {
          if (!request.writableEnded) request.destroy();
          await out.promise;
        }
        resolve({ status, headers: plainHeaders(headers), text });
      })
      .catch(reject);
  });
  signal?.addEventListener("abort", abort, { once: true });
  if (asking) {
    const send = () => {
      if (!answered && !request.writableEnded) request.end(body);
    };
    request.once("continue", send);
    // Servers and proxies that do not know the question say nothing.
    request.once("timeout", send);
    request.flushHeaders();
  } else request.end(body);
  try {
    return await promise;
  } finally {
    clearTimeout(connecting);
    signal?.removeEventListener("abort", abort);
    // Answered, failed or stopped before the body was out.
    if (!request.writableFinished) {
      if (sending) sending.sent = false;
      request.destroy();
    }
  }
}

/** The body as text, unpacked. Latin-1 would do for statuses, but reasons quote the documents. */
async function readText(response: http.IncomingMessage, whole: number | undefined): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  const exact = response.statusCode === 200 && whole !== undefined;
  const limit = exact ? whole : MAX_TEXT;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      // The rest stays unread: leaving the loop closes the connection.
      if (length > limit) break;
    }
  } catch (error) {
    // A server that answers early closes behind its answer, without waiting for the rest of the request: the status counts. That of a
    // success only with some of its text.
    if (exact || (length === 0 && response.statusCode === 200)) throw error;
  }
  if (length > limit && exact) throw new Error(`the answer is larger than ${limit} bytes`);
  const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
  if (!/\bgzip\b/i.test(response.headers["content-encoding"] ?? "")) return body.toString("utf8", 0, limit);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Cut short, or larger than it may be, a refusal still has its status.
  gunzip(body, { maxOutputLength: limit }, (error, plain) =>
    error && exact ? reject(error) : resolve(plain?.toString("utf8") ?? ""),
  );
  return await promise;
}

function plainHeaders(headers: http.IncomingHttpHeaders): http.IncomingHttpHeaders {
  const { "content-encoding": _, ...rest } = headers;
  return rest;
}
