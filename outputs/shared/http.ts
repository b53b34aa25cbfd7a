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
import { CONNECT_MS, explain, isBroken, notSent } from "./http-error.ts";
import { named } from "./lazy.ts";
import { proxyEnv } from "./proxy-env.ts";
import { withoutSecrets } from "./secrets.ts";
import { readTls } from "./tls.ts";

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
/** An endpoint that could not be reached, or had enough, is left out so long, while there are others. */
const AVOID_MS = 30_000;

/**
 * Larger bodies go out in pieces: only so does undici know that an answer came before the request was out, and closes the connection, which
 * nobody can use any more, behind it.
 */
const PIECE = 64 * 1024;

interface Endpoint {
  readonly origin: string;
  /** Without slashes at its end. */
  readonly path: string;
  /** As written, with its query. */
  readonly whole: string;
  readonly url: string;
  /** Monotonic milliseconds until which others are preferred. */
  avoidUntil: number;
  /** It has answered, so a request may go out on a connection that it is closing at that very moment. */
  answered: boolean;
}

interface Ways {
  readonly plain: Dispatcher;
  readonly secure: Dispatcher;
}

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #endpoints: readonly Endpoint[];
  #open: Promise<Ways> | undefined;
  /** Of the TLS files it was made with. */
  #key = "";
  #turn = 0;
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#endpoints = options.urls.map((url) => {
      const { origin, pathname, search } = new URL(url);
      return {
        url,
        origin,
        path: pathname.replace(/\/+$/, ""),
        whole: `${pathname}${search}`,
        avoidUntil: 0,
        answered: false,
      };
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
        const reply = await this.#askTwice(endpoint, request, signal);
        // A gateway without its server, or a server that has enough: the others may have room.
        const busy = reply.status === 429 || (reply.status >= 502 && reply.status <= 504);
        endpoint.avoidUntil = busy ? this.#options.clock.monotonic() + AVOID_MS : 0;
        endpoint.answered = true;
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
    const ways = await open?.catch(() => undefined);
    await Promise.all([ways?.plain.destroy(), ways?.secure.destroy()]);
  }

  /** In turn, so that all get their share; those that did not answer lately come last. */
  #candidates(only: string | undefined): Endpoint[] {
    if (only !== undefined) return this.#endpoints.filter(({ url }) => url === only);
    const from = this.#turn++ % this.#endpoints.length;
    const now = this.#options.clock.monotonic();
    const turned = [...this.#endpoints.slice(from), ...this.#endpoints.slice(0, from)];
    return [...turned.filter((e) => e.avoidUntil <= now), ...turned.filter((e) => e.avoidUntil > now)];
  }

  /**
   * A server closes a connection that was idle just when a request goes out on it: that says nothing of the server, so it is asked again, on
   * a fresh connection. Whoever repeats requests after an outage anyway loses nothing by that.
   */
  async #askTwice(endpoint: Endpoint, request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    const { answered } = endpoint;
    try {
      return await this.#ask(endpoint, request, signal);
    } catch (error) {
      if (!answered || signal.aborted || this.#closed || !isBroken(error as Error)) throw error;
      return await this.#ask(endpoint, request, signal);
    }
  }

  async #ask(
    endpoint: Endpoint,
    { method, path, headers, body }: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    // Those that go out with it: by the time of the answer they may have been renewed, or their file be gone.
    const secrets = this.#options.secrets();
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
    signal.throwIfAborted();
    return {
      status: answer.statusCode,
      headers: answer.headers,
      text: withoutSecrets(text, secrets),
      endpoint: endpoint.url,
    };
  }

  /** With TLS files of its own it is made anew when they change; requests under way finish on the old one. */
  async #dispatcher(secure: boolean): Promise<Dispatcher> {
    if (this.#closed) throw new Error("closed");
    const tls = secure && this.#options.tls ? readTls(this.#options.tls) : undefined;
    const key = tls ? fingerprint(tls) : "";
    if (this.#open === undefined || (secure && this.#key !== key)) {
      const before = this.#open;
      this.#open = connect(tls);
      this.#key = key;
      before?.then(
        ({ plain, secure }) => Promise.all([plain.close(), secure.close()]),
        () => undefined,
      );
    }
    return (await this.#open)[secure ? "secure" : "plain"];
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

/** Each with its own proxy: where only that for plain http is named, undici would take it for both. */
async function connect(tls: ConnectionOptions | undefined): Promise<Ways> {
  const { EnvHttpProxyAgent } = named(await import("undici"));
  const { HTTP_PROXY: httpProxy, HTTPS_PROXY: httpsProxy, NO_PROXY: noProxy } = proxyEnv();
  const connection = { minVersion: "TLSv1.2", ...tls, timeout: CONNECT_MS } as buildConnector.BuildOptions;
  const options = {
    noProxy,
    connect: connection,
    requestTls: connection,
    keepAliveTimeout: IDLE_MS,
    keepAliveMaxTimeout: IDLE_MS,
    // The lane's own timeout holds for the whole write.
    headersTimeout: 0,
    bodyTimeout: 0,
    allowH2: false,
  };
  return {
    plain: new EnvHttpProxyAgent({ ...options, httpProxy, httpsProxy: "" }),
    secure: new EnvHttpProxyAgent({ ...options, httpProxy: "", httpsProxy }),
  };
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
