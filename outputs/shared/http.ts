/**
 * HTTP as the outputs need it, on undici: several endpoints in turn, connections kept alive, proxies from the environment, TLS files that
 * may be renewed while the agent runs, answers that are bounded, and an answer that comes before the request is out.
 */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import type { buildConnector, Dispatcher } from "undici";
import type { Clock } from "../../agent/api/clock.ts";
import type { TlsOptions } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { named } from "./lazy.ts";
import { readTls, tlsReason } from "./tls.ts";

export interface HttpRequest {
  readonly method: "GET" | "POST" | "PUT";
  /** Behind the endpoint's own path; with its query. Empty: the endpoint as it is written. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  /** Only this endpoint (`HttpReply.endpoint` of an earlier answer): what it was asked concerns it alone. */
  readonly endpoint?: string;
}

export interface HttpReply {
  readonly status: number;
  /** At most MAX_ANSWER bytes of it. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly endpoint: string;
}

export interface HttpClientOptions {
  /** http or https, each with the path that requests continue. */
  readonly urls: readonly string[];
  readonly tls?: TlsOptions | undefined;
  readonly clock: Clock;
  /** What requests carry and nobody may be told: some servers answer a refusal with the very token. */
  readonly secrets: () => readonly string[];
}

/** More of an answer than this nobody needs. */
const MAX_ANSWER = 1024 * 1024;
/** Idle connections are closed before the load balancers in between forget them. */
const IDLE_MS = 20_000;
const CONNECT_MS = 10_000;
/** An endpoint that could not be reached is left out so long, while there are others. */
const AVOID_MS = 30_000;

/**
 * Larger bodies go out in pieces: only so does undici know that an answer came before the request was out, and closes the connection, which
 * nobody can use any more, behind it.
 */
const PIECE = 64 * 1024;

/** Shorter ones are no secrets, and would make a riddle of every sentence. */
const SHORTEST_SECRET = 4;

interface Endpoint {
  readonly origin: string;
  /** Without slashes at its end. */
  readonly path: string;
  /** As written, with its query. */
  readonly whole: string;
  readonly url: string;
  /** Monotonic milliseconds until which others are preferred. */
  avoidUntil: number;
}

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #endpoints: readonly Endpoint[];
  #open: Promise<Dispatcher> | undefined;
  /** Of the TLS files it was made with. */
  #key = "";
  #turn = 0;
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#endpoints = options.urls.map((url) => {
      const { origin, pathname, search } = new URL(url);
      return { url, origin, path: pathname.replace(/\/+$/, ""), whole: `${pathname}${search}`, avoidUntil: 0 };
    });
  }

  /**
   * Resolves with any HTTP answer. Throws, with a reason a person can act on, where there was none; where the request certainly was not
   * sent, the other endpoints are tried first.
   */
  async request(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    let refused: Error | undefined;
    for (const endpoint of this.#candidates(request.endpoint)) {
      try {
        const reply = await this.#ask(endpoint, request, signal);
        endpoint.avoidUntil = 0;
        return reply;
      } catch (error) {
        // One that took the request and never answered ends as an abort: it, too, is left alone for a while.
        endpoint.avoidUntil = this.#options.clock.monotonic() + AVOID_MS;
        refused = new Error(explain(error as Error));
        if (signal.aborted || this.#closed || !notSent(error as Error)) throw refused;
      }
    }
    throw refused ?? new Error("no endpoint");
  }

  async close(): Promise<void> {
    this.#closed = true;
    const open = this.#open;
    this.#open = undefined;
    await (await open?.catch(() => undefined))?.destroy();
  }

  /** In turn, so that all get their share; those that did not answer lately come last. */
  #candidates(only: string | undefined): Endpoint[] {
    if (only !== undefined) return this.#endpoints.filter(({ url }) => url === only);
    const from = this.#turn++ % this.#endpoints.length;
    const now = this.#options.clock.monotonic();
    const turned = [...this.#endpoints.slice(from), ...this.#endpoints.slice(0, from)];
    return [...turned.filter((e) => e.avoidUntil <= now), ...turned.filter((e) => e.avoidUntil > now)];
  }

  async #ask(endpoint: Endpoint, { method, path, headers, body }: HttpRequest, signal: AbortSignal) {
    const dispatcher = await this.#dispatcher(endpoint.origin.startsWith("https:"));
    signal.throwIfAborted();
    const answer = await dispatcher.request({
      origin: endpoint.origin,
      path: path === "" ? endpoint.whole : `${endpoint.path}${path}`,
      method,
      headers: body === undefined ? headers : { ...headers, "content-length": String(Buffer.byteLength(body)) },
      body: typeof body === "object" && body.length > PIECE ? pieces(body) : (body ?? null),
      signal,
    });
    const text = await readText(answer.body);
    return { status: answer.statusCode, headers: answer.headers, text: this.#redacted(text), endpoint: endpoint.url };
  }

  #redacted(text: string): string {
    let safe = text;
    for (const secret of this.#options.secrets()) {
      if (secret.length >= SHORTEST_SECRET) safe = safe.replaceAll(secret, "[secret]");
    }
    return safe;
  }

  /** With TLS files of its own it is made anew when they change; requests under way finish on the old one. */
  #dispatcher(secure: boolean): Promise<Dispatcher> {
    if (this.#closed) return Promise.reject(new Error("closed"));
    const tls = secure && this.#options.tls ? readTls(this.#options.tls) : undefined;
    const key = tls ? fingerprint(tls) : "";
    if (this.#open === undefined || (secure && this.#key !== key)) {
      const before = this.#open;
      this.#open = connect(tls);
      this.#key = key;
      before?.then(
        (dispatcher) => dispatcher.close(),
        () => undefined,
      );
    }
    return this.#open;
  }
}

function pieces(body: Buffer): Readable {
  return Readable.from(
    (function* () {
      for (let at = 0; at < body.length; at += PIECE) yield body.subarray(at, at + PIECE);
    })(),
    { objectMode: false },
  );
}

async function connect(tls: ConnectionOptions | undefined): Promise<Dispatcher> {
  const { EnvHttpProxyAgent } = named(await import("undici"));
  const connection = { minVersion: "TLSv1.2", ...tls, timeout: CONNECT_MS } as buildConnector.BuildOptions;
  return new EnvHttpProxyAgent({
    connect: connection,
    requestTls: connection,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // The lane's own timeout holds for the whole write.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  });
}

function fingerprint({ ca, cert, key, servername, rejectUnauthorized }: ConnectionOptions): string {
  const hash = createHash("sha256");
  for (const part of [ca, cert, key]) hash.update(String(part)).update("\n");
  return hash.update(`${servername} ${rejectUnauthorized}`).digest("hex");
}

async function readText(body: Dispatcher.ResponseData["body"]): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      // The rest stays unread, and its connection is closed.
      if (length > MAX_ANSWER) break;
    }
  } catch (error) {
    // An early answer whose connection broke behind it is an answer all the same: its status counts.
    if (length === 0) throw error;
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER).toString("utf8");
}

/** No byte of the request can have been acted upon. */
function notSent(error: Error): boolean {
  const { code } = rootOf(error);
  return (
    code !== undefined &&
    /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/.test(code)
  );
}

function rootOf(error: Error): NodeJS.ErrnoException {
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error && (error as NodeJS.ErrnoException).code === undefined ? rootOf(inner) : error;
}

/** For a person; without anything of a proxy's address, which may hold a password. */
function explain(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((e: Error) => e.message).join("; ");
  const { code, message } = rootOf(error);
  if (code === "ECONNRESET" || code === "UND_ERR_SOCKET") return "the connection was closed before the answer";
  if (code === "EPIPE") return "the connection was closed while the request was being sent";
  if (code === "UND_ERR_CONNECT_TIMEOUT") return `no connection within ${CONNECT_MS / 1000} s`;
  return tlsReason(message).replace(/\/\/[^/@\s]*@/g, "//");
}

/** `HTTP 403: …` with the server's own words: one line, bounded, never a page of HTML. */
export function statusReason(status: number, text: string, hint?: string): string {
  const said = text
    .slice(0, 4_000)
    .replace(/<[^>]{0,1000}>/g, " ")
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what a server says goes into a log line
    .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ")
    .trim()
    .slice(0, 300);
  return `HTTP ${status}${said === "" ? "" : `: ${said}`}${hint === undefined ? "" : ` (${hint})`}`;
}

/** What is wrong with a list of endpoints; for a plugin's `check`. `instead`: the options that hold credentials. */
export function endpointProblems(
  urls: readonly string[],
  tls: TlsOptions | undefined,
  instead: string,
  { query = false }: { query?: boolean } = {},
): OptionProblem[] {
  return urls.flatMap((text, i) => {
    const { username, password, search, hash, protocol } = new URL(text);
    const at = ["url", i];
    const problems: OptionProblem[] = [];
    if (username !== "" || password !== "")
      problems.push({ path: at, message: `must not hold credentials; use ${instead}` });
    if ((search !== "" && !query) || hash !== "") problems.push({ path: at, message: "must end with its path" });
    if (protocol === "http:" && tls !== undefined) {
      problems.push({ path: at, message: "is plain http, so `tls` has no effect" });
    }
    return problems;
  });
}
