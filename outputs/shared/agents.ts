/**
 * Connection pools of Node's own http and https: connections are kept alive, TLS files are read for
 * each new one, and HTTPS_PROXY, HTTP_PROXY and NO_PROXY (or in lower case) are honoured.
 */
import { type AgentOptions, Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { TlsOptions } from "../../agent/api/options.ts";
import { proxyEnv } from "./proxy-env.ts";
import { TlsAgent } from "./tls.ts";

/** A connection nobody used for so long is closed, before what is in between forgets it. */
const IDLE_MS = 20_000;

export interface Agents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

export function agentsFor(tls: TlsOptions | undefined): Agents {
  const options: AgentOptions = { keepAlive: true, timeout: IDLE_MS, scheduling: "lifo", proxyEnv: proxyEnv() };
  return {
    httpAgent: new HttpAgent(options),
    httpsAgent: tls ? new TlsAgent(tls, options) : new HttpsAgent({ ...options, minVersion: "TLSv1.2" }),
  };
}

/** Nothing more goes out on their connections; what is under way is finished. */
export function retire({ httpAgent, httpsAgent }: Agents): void {
  for (const agent of [httpAgent, httpsAgent]) {
    agent.maxFreeSockets = 0;
    for (const socket of Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? [])) socket.destroy();
  }
}
