import { type AddressInfo, isIP } from "node:net";
import type { FastifyInstance } from "fastify";
import type { Telemetry } from "./index.ts";

export interface HttpServer {
  /** `http://host:port`, with the real port where 0 was asked for. */
  readonly address: string;
  close(): Promise<void>;
}

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];
const MAX_CONNECTIONS = 64;

/** Serves /healthz, /readyz, /health and /metrics. Throws with what to change where the address cannot be had. */
export async function startHttp(listen: string, telemetry: Pick<Telemetry, "health" | "metrics">): Promise<HttpServer> {
  const { host, port } = parseListen(listen);
  // Its default export: bundled, a CommonJS library has no other.
  const { default: fastify } = await import("fastify");
  const app = fastify({
    bodyLimit: 1024,
    connectionTimeout: 30_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    forceCloseConnections: true,
    http: { maxHeaderSize: 8192 },
    routerOptions: { maxParamLength: 100 },
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  protect(app, host);
  routes(app, telemetry);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(listen, error as NodeJS.ErrnoException);
  }
  const bound = app.server.address() as AddressInfo;
  const name = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return { address: `http://${name}:${bound.port}`, close: () => app.close() };
}

/** `host:port`, with brackets around an IPv6 host or without. */
function parseListen(listen: string): { host: string; port: number } {
  const at = listen.lastIndexOf(":");
  const port = Number(listen.slice(at + 1));
  const host = listen.slice(0, Math.max(at, 0)).replace(/^\[(.*)\]$/, "$1");
  if (at < 1 || !Number.isInteger(port) || port > 65_535) {
    throw new Error(`service.http.listen: ${JSON.stringify(listen)} is no host:port with a port up to 65535`);
  }
  return { host, port };
}

function protect(app: FastifyInstance, host: string): void {
  const own = isIP(host) === 6 ? `[${host}]` : host;
  const names = new Set([...LOOPBACK_NAMES, own.toLowerCase()]);
  // Listening on every address was the operator's choice: proxies, service names and pod addresses all come in then.
  const anyName = host === "0.0.0.0" || host === "::";
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    // A page in a browser can point a name of its own at 127.0.0.1 (DNS rebinding), but it cannot change the Host header.
    const name = (request.headers.host ?? "").toLowerCase().replace(/:\d*$/, "");
    if (!anyName && !names.has(name)) return reply.code(421).send({ error: "unknown host" });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: "not found" }));
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const code = error.statusCode ?? 500;
    return reply.code(code).send({ error: code < 500 ? "bad request" : "internal error" });
  });
}

function routes(app: FastifyInstance, telemetry: Pick<Telemetry, "health" | "metrics">): void {
  app.get("/healthz", async () => ({ alive: true }));
  app.get("/readyz", async (_request, reply) => {
    const { ready } = telemetry.health();
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get("/health", async (_request, reply) => {
    const health = telemetry.health();
    return reply.code(health.status === "ok" ? 200 : 503).send(health);
  });
  app.get("/metrics", async (_request, reply) => {
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return telemetry.metrics();
  });
}

function listenError(listen: string, error: NodeJS.ErrnoException): Error {
  const reasons: Record<string, string> = {
    EADDRINUSE: "the address is in use",
    EACCES: "this user may not listen on that port",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "the host name is unknown",
  };
  const why = reasons[error.code ?? ""] ?? error.message;
  return new Error(`cannot listen on ${listen}: ${why}; set service.http.listen to another address`, { cause: error });
}
