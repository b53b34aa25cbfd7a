/** A look at the servers behind the outputs: their clocks and their certificates. Nothing is sent that anybody may not read. */
import type { X509Certificate } from "node:crypto";
import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { type ConnectionOptions, connect, TLSSocket } from "node:tls";
import { readTls } from "../../../outputs/shared/tls.ts";
import type { Clock } from "../../api/clock.ts";
import type { ResolvedOutput } from "../../api/config.ts";
import type { TlsOptions } from "../../api/options.ts";
import type { Subject } from "./check.ts";

const LOOK_MS = 10_000;

export interface ServerSeen {
  readonly output: string;
  /** `https://host:port` or `host:port`. */
  readonly address: string;
  /** How far its clock is ahead of ours, in milliseconds; undefined where it does not say. */
  readonly aheadMs: number | undefined;
  /** Its own first. Empty without TLS. */
  readonly chain: readonly X509Certificate[];
  /** Why there is nothing to be said of it. */
  readonly problem: string | undefined;
}

export async function lookAtServers({
  config,
  places,
  clock,
}: Pick<Subject, "config" | "places" | "clock">): Promise<readonly ServerSeen[]> {
  const looks: Promise<ServerSeen>[] = [];
  for (const output of config.outputs) {
    const { alias: name, definition, options } = output;
    const origins = new Set(
      (places.get(`outputs.${name}`) ?? [])
        .filter(({ value }) => /^https?:\/\//.test(value) && URL.canParse(value))
        .map(({ value }) => new URL(value).origin),
    );
    for (const origin of origins) looks.push(seen(name, origin, () => ask(new URL(origin), tlsOf(output), clock)));
    for (const { host, port } of definition.tlsServers?.(options) ?? []) {
      looks.push(seen(name, `${host}:${port}`, () => greet(host, port, tlsOf(output))));
    }
  }
  return Promise.all(looks);
}

type Seen = Pick<ServerSeen, "aheadMs" | "chain">;

async function seen(output: string, address: string, look: () => Promise<Seen>): Promise<ServerSeen> {
  try {
    return { output, address, ...(await look()), problem: undefined };
  } catch (error) {
    const problem = error instanceof Error && error.message !== "" ? error.message : String(error);
    return { output, address, aheadMs: undefined, chain: [], problem };
  }
}

export function tlsOf({ options }: ResolvedOutput): TlsOptions | undefined {
  return options.tls as TlsOptions | undefined;
}

/** Whatever is wrong with its certificate: that is what is to be seen. */
function connection(host: string, tls: TlsOptions | undefined): ConnectionOptions {
  const own = tls === undefined ? {} : readTls(tls);
  // An address is no server name (RFC 6066).
  const servername = own.servername ?? (/^[\d.]+$|:/.test(host) ? "" : host);
  return { ...own, servername, rejectUnauthorized: false, minVersion: "TLSv1.2" };
}

/** HEAD, without credentials: any answer has the date. */
function ask(url: URL, tls: TlsOptions | undefined, clock: Clock): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const secure = url.protocol === "https:";
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const options = { method: "HEAD", agent: false, signal: AbortSignal.timeout(LOOK_MS) };
  const before = clock.now();
  const request = secure ? httpsRequest(url, { ...options, ...connection(host, tls) }) : httpRequest(url, options);
  request.on("response", (response) => {
    const { socket } = response;
    const chain = socket instanceof TLSSocket ? chainOf(socket) : [];
    const said = Date.parse(response.headers.date ?? "");
    response.destroy();
    // The header has whole seconds, and was made somewhere between asking and hearing.
    const aheadMs = Number.isNaN(said) ? undefined : said + 500 - (before + clock.now()) / 2;
    resolve({ aheadMs, chain });
  });
  request.on("error", reject);
  request.end();
  return promise;
}

function greet(host: string, port: number, tls: TlsOptions | undefined): Promise<Seen> {
  const { promise, resolve, reject } = Promise.withResolvers<Seen>();
  const socket = connect({ host, port, ...connection(host, tls) });
  socket.setTimeout(LOOK_MS, () => socket.destroy(new Error(`no answer within ${LOOK_MS / 1000} s`)));
  socket.on("error", reject);
  socket.on("secureConnect", () => {
    resolve({ aheadMs: undefined, chain: chainOf(socket) });
    socket.destroy();
  });
  return promise;
}

function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  const known = new Set<string>();
  for (let one = socket.getPeerX509Certificate(); one && !known.has(one.fingerprint256); one = one.issuerCertificate) {
    known.add(one.fingerprint256);
    chain.push(one);
  }
  return chain;
}
