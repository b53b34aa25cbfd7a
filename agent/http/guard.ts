/** Who may ask what: the checks before any route. */
import { isIP } from "node:net";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { cleanName, type Operator } from "../control/operator.ts";
import { isAuthorized } from "./token.ts";

/**
 * probe: health checks and metrics, for everybody who can reach it. token: these for everybody, the rest for who has the token. socket:
 * everything, as the file's rights say who may.
 */
export type Access =
  | { readonly by: "probe" }
  /** The token is not known while the agent starts. */
  | { readonly by: "token"; token(): string | undefined }
  | { readonly by: "socket" };

/** Where a listener is, for the Host header. */
export interface Listener {
  readonly access: Access;
  /** Without brackets; undefined for the socket. */
  readonly host: string | undefined;
}

const OPEN = new Set(["/healthz", "/readyz", "/metrics"]);
const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

const HEADERS = {
  "cache-control": "no-store",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

/** `isPublic`: paths of the page itself, which hold no data. */
export function guard(app: FastifyInstance, { access, host }: Listener, isPublic: (path: string) => boolean): void {
  const names = hostNames(host);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(HEADERS);
    // A page in a browser can point a name of its own at 127.0.0.1 (DNS rebinding), but it cannot change the Host header.
    if (names && !names.has(nameOf(request.headers.host))) return reply.code(421).send({ error: "unknown host" });
    const path = request.url.split("?", 1)[0]!;
    if (OPEN.has(path) || access.by === "socket") return undefined;
    if (access.by === "probe") return reply.code(404).send({ error: "not found" });
    if (!isSameOrigin(request)) return reply.code(403).send({ error: "pages of other origins may not ask" });
    if (isPublic(path)) return undefined;
    const token = access.token();
    if (token === undefined) return reply.code(503).send({ error: "the agent is starting" });
    if (isAuthorized(request.headers.authorization, token)) return undefined;
    reply.header("www-authenticate", 'Bearer realm="audit-agent"');
    return reply.code(401).send({ error: "needs the token: it is in the file http-token of the data directory" });
  });
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: "not found" }));
}

/** Undefined where any name will do: listening on every address was the operator's choice, and proxies and service names come in then. */
function hostNames(host: string | undefined): ReadonlySet<string> | undefined {
  if (host === undefined || host === "0.0.0.0" || host === "::") return undefined;
  return new Set([...LOOPBACK_NAMES, (isIP(host) === 6 ? `[${host}]` : host).toLowerCase()]);
}

function nameOf(header: string | undefined): string {
  return (header ?? "").toLowerCase().replace(/:\d*$/, "");
}

/** Browsers say with every request that could change something from which page it comes. */
function isSameOrigin({ headers, protocol }: FastifyRequest): boolean {
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none") return false;
  const { origin } = headers;
  return origin === undefined || origin === `${protocol}://${headers.host ?? ""}`;
}

export function operatorOf(request: FastifyRequest, { access }: Listener): Operator {
  if (access.by === "socket") {
    const name = request.headers["x-operator"];
    return { actor: cleanName(Array.isArray(name) ? name[0] : name) ?? "unknown", from: "socket" };
  }
  return { actor: "token", from: `http ${request.ip}` };
}
