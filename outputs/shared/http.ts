/**
 * HTTP as the outputs need it: several endpoints in turn, connections kept alive, proxies from the environment, TLS files that
 * may be renewed while the agent runs, answers that are bounded, and an answer that comes before the request is out.
 */
import { createHash } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import type { Clock } from "../../agent/api/clock.ts";
import type { TlsOptions } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { type Agents, agentsFor, retire } from "./agents.ts";
import { exchange, type Sending } from "./exchange.ts";
import { explain, isBroken, notSent } from "./http-error.ts";
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
  /** At most a mebibyte of it. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly endpoint: string;
  /** The operating system has all of the body: its memory may be used again. */
  readonly sent: boolean;
}

export interface HttpClientOptions {
  /** http or https, each with the path that requests continue. */
  readonly urls: readonly string[];
  readonly tls?: TlsOptions | undefined;
  readonly clock: Clock;
  /** What requests carry and nobody may be told: some servers answer a refusal with the very token. */
  readonly secrets: () => readonly string[];
}

/** An endpoint that could not be reached, or had enough, is left out so long, while there are others. */
const AVOID_MS = 30_000;

interface Endpoint {
  readonly address: URL;
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

export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #endpoints: readonly Endpoint[];
  #agents: Agents | undefined;
  /** Of the TLS files it was made with. */
  #key = "";
  #turn = 0;
  #closed = false;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#endpoints = options.urls.map((url) => {
      const address = new URL(url);
      const { pathname, search } = address;
      return {
        url,
        address,
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
    const sending: Sending = { sent: true, begun: 0, asking: false, broken: false };
    for (const endpoint of this.#candidates(request.endpoint)) {
      try {
        const reply = await this.#askTwice(endpoint, request, sending, signal);
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

  close(): Promise<void> {
    this.#closed = true;
    this.#agents?.httpAgent.destroy();
    this.#agents?.httpsAgent.destroy();
    this.#agents = undefined;
    return Promise.resolve();
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
  async #askTwice(endpoint: Endpoint, request: HttpRequest, sending: Sending, signal: AbortSignal): Promise<HttpReply> {
    const { answered } = endpoint;
    try {
      return await this.#ask(endpoint, request, sending, signal);
    } catch (error) {
      if (!answered || signal.aborted || this.#closed || !isBroken(error as Error)) throw error;
      return await this.#ask(endpoint, request, sending, signal);
    }
  }

  async #ask(
    endpoint: Endpoint,
    { method, path, headers, body }: HttpRequest,
    sending: Sending,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    // Those that go out with it: by the time of the answer they may have been renewed, or their file be gone.
    const secrets = this.#options.secrets();
    const secure = endpoint.address.protocol === "https:";
    const { httpAgent, httpsAgent } = this.#current(secure);
    const answer = await exchange({
      url: endpoint.address,
      agent: secure ? httpsAgent : httpAgent,
      method,
      path: path === "" ? endpoint.whole : `${endpoint.path}${path}`,
      headers: body === undefined ? headers : { ...headers, "content-length": Buffer.byteLength(body) },
      body,
      signal,
      sending,
    });
    return {
      status: answer.status,
      headers: answer.headers,
      text: withoutSecrets(answer.text, secrets),
      endpoint: endpoint.url,
      sent: sending.sent,
    };
  }

  /** With TLS files of its own they are made anew when those change; requests under way finish on the old ones. */
  #current(secure: boolean): Agents {
    if (this.#closed) throw new Error("closed");
    const { tls } = this.#options;
    const key = secure && tls ? fingerprint(readTls(tls)) : this.#key;
    if (this.#agents === undefined || this.#key !== key) {
      if (this.#agents) retire(this.#agents);
      this.#agents = agentsFor(tls);
      this.#key = key;
    }
    return this.#agents;
  }
}

function fingerprint({ ca, cert, key, servername, rejectUnauthorized }: ConnectionOptions): string {
  const hash = createHash("sha256");
  for (const part of [ca, cert, key]) hash.update(String(part)).update("\n");
  return hash.update(`${servername} ${rejectUnauthorized}`).digest("hex");
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
