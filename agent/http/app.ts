import type { SecureContextOptions } from "node:tls";
import type { FastifyInstance } from "fastify";
import { RefusedError } from "../control/control.ts";
import { guard, type Listener } from "./guard.ts";
import { probes, type Routed, routes } from "./routes.ts";

/** Replay and discard may name some thousands of letters. */
const MOST_BODY = 1024 * 1024;
const MOST_CONNECTIONS = 64;

/** A server that does not listen yet. */
export async function makeApp(
  listener: Listener,
  routed: Routed,
  tls?: Pick<SecureContextOptions, "cert" | "key">,
): Promise<FastifyInstance> {
  // Its default export: bundled, a CommonJS library has no other.
  const { default: fastify } = await import("fastify");
  const app = fastify({
    bodyLimit: MOST_BODY,
    // A reload waits for destinations, and a replay for the disk.
    connectionTimeout: 120_000,
    requestTimeout: 10_000,
    keepAliveTimeout: 5_000,
    forceCloseConnections: true,
    http: { maxHeaderSize: 8192 },
    routerOptions: { maxParamLength: 100 },
    ...(tls ? { https: { ...tls, minVersion: "TLSv1.2" } } : {}),
  }) as unknown as FastifyInstance;
  app.server.maxConnections = MOST_CONNECTIONS;
  guard(app, listener, (path) => routed.page.has(path));
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    if (error instanceof RefusedError) return reply.code(error.status).send({ error: error.message });
    const code = error.statusCode ?? 500;
    return reply.code(code).send({ error: code < 500 ? "bad request" : "internal error" });
  });
  probes(app, routed.control);
  if (listener.access.by !== "probe") routes(app, listener, routed);
  return app;
}
