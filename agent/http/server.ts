/** The HTTP server: the operating interface behind a token, and health checks and metrics for everybody who can reach them. */
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import type { ServiceOptions } from "../api/config.ts";
import { listenError, parseListen, urlOf } from "./address.ts";
import { makeApp } from "./app.ts";
import type { Access } from "./guard.ts";
import type { Routed } from "./routes.ts";

export type HttpOptions = NonNullable<ServiceOptions["http"]>;

export interface HttpServer {
  /** `http://host:port`, with the real port where 0 was asked for. */
  readonly address: string;
  /** Of `probe_listen`. */
  readonly probes: string | undefined;
  close(): Promise<void>;
}

/** Throws with what to change where an address cannot be had. */
export async function startHttp(
  options: HttpOptions,
  token: () => string | undefined,
  routed: Routed,
): Promise<HttpServer> {
  await using opened = new AsyncDisposableStack();
  const begin = async (listen: string, option: string, access: Access, tls: HttpOptions["tls"]) => {
    const { host, port } = parseListen(listen, option);
    const pem = tls && { cert: readPem(tls.cert, "cert"), key: readPem(tls.key, "key") };
    const app = await makeApp({ access, host }, routed, pem);
    opened.defer(() => app.close());
    try {
      await app.listen({ host, port });
    } catch (error) {
      throw listenError(listen, option, error as NodeJS.ErrnoException);
    }
    return urlOf(app.server.address() as AddressInfo, tls !== undefined);
  };
  const address = await begin(options.listen, "service.http.listen", { by: "token", token }, options.tls);
  const { probe_listen: probeListen } = options;
  const probes =
    probeListen === undefined
      ? undefined
      : await begin(probeListen, "service.http.probe_listen", { by: "probe" }, undefined);
  const running = opened.move();
  return { address, probes, close: () => running.disposeAsync() };
}

function readPem(path: string, option: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Error(`service.http.tls.${option}: ${(error as Error).message}`);
  }
}
