/** The client's HTTP connection, made anew on `exchange.ts`: why stands there. */
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
import { exchange, type Sending } from "../shared/exchange.ts";
import { explain } from "../shared/http-error.ts";

type Elastic = typeof import("@elastic/elasticsearch");

/** An answer larger than this is none of a bulk request's. */
const MAX_ANSWER = 256 * 1024 * 1024;

/** The class, made from the lazily imported library. A request's `context` is its `Sending`, or nothing. */
export function connectionClass(elastic: Elastic, tls: TlsOptions | undefined): typeof BaseConnection {
  const { BaseConnection: Base, errors } = elastic;

  return class PooledBodyConnection extends Base {
    readonly #agents = agentsFor(tls);
    readonly #prefix: string;

    constructor(options: ConnectionOptions) {
      super(options);
      this.#prefix = this.url.pathname.replace(/\/+$/, "");
    }

    override request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptions,
    ): Promise<ConnectionRequestResponse>;
    override request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptionsAsStream,
    ): Promise<ConnectionRequestResponseAsStream>;
    override async request(
      params: ConnectionRequestParams,
      options: ConnectionRequestOptions,
    ): Promise<ConnectionRequestResponse & ConnectionRequestResponseAsStream> {
      const query = params.querystring ? `?${params.querystring}` : "";
      const { httpAgent, httpsAgent } = this.#agents;
      try {
        const answer = await exchange({
          url: this.url,
          agent: this.url.protocol === "https:" ? httpsAgent : httpAgent,
          method: params.method,
          path: `${this.#prefix}${params.path}${query}`,
          headers: params.headers ?? {},
          body: (params.body as string | Buffer | null) ?? undefined,
          signal: options.signal,
          sending: (options.context as Sending | null) ?? undefined,
          whole: MAX_ANSWER,
        });
        const response: ConnectionRequestResponse = {
          body: answer.text,
          headers: answer.headers,
          statusCode: answer.status,
        };
        return response as ConnectionRequestResponse & ConnectionRequestResponseAsStream;
      } catch (error) {
        if (options.signal?.aborted) throw new errors.RequestAbortedError("stopped");
        throw new errors.ConnectionError(explain(error as Error));
      }
    }

    override close(): Promise<void> {
      this.#agents.httpAgent.destroy();
      this.#agents.httpsAgent.destroy();
      return Promise.resolve();
    }
  } as unknown as typeof BaseConnection;
}
