/** TLS settings as the platform wants them. Files are read when a connection is made, so a renewed certificate needs no restart. */
import { readFileSync } from "node:fs";
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import type { TlsOptions } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";

/**
 * Reads the files named in `tls`; synchronously, as they are small, read once a connection, and Node's agents make connections so. Throws a
 * sentence that names the option and the file.
 */
export function readTls(tls: TlsOptions): ConnectionOptions {
  const [ca, cert, key] = [pem("ca", tls.ca), pem("cert", tls.cert), pem("key", tls.key)];
  return {
    rejectUnauthorized: tls.verify,
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(tls.server_name !== undefined && { servername: tls.server_name }),
  };
}

/** What is wrong with TLS settings as a whole; for a plugin's `check`. */
export function tlsProblems(tls: TlsOptions | undefined): OptionProblem[] {
  if (tls === undefined || (tls.cert === undefined) === (tls.key === undefined)) return [];
  const missing = tls.cert === undefined ? "cert" : "key";
  return [{ path: ["tls", missing], message: "a client certificate needs both `cert` and `key`" }];
}

/** Of a line of OpenSSL's only the reason means something to a person, and the rest is not the same twice. Other messages stay. */
export function tlsReason(message: string): string {
  const reason = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1];
  if (reason === undefined) return message;
  const hint = reason === "wrong version number" ? " (what answers at this port does not speak TLS)" : "";
  return `TLS: ${reason}${hint}`;
}

function pem(option: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  let text: Buffer;
  try {
    text = readFileSync(file);
  } catch (error) {
    throw new Error(`tls.${option}: cannot read ${file}: ${(error as NodeJS.ErrnoException).code ?? error}`);
  }
  // Without this a wrong file shows as OpenSSL's "no start line", which tells nobody which file it was.
  if (!text.includes("-----BEGIN ")) throw new Error(`tls.${option}: ${file} is not in PEM format`);
  return text;
}

type Connected = (error: Error | null, socket: Duplex) => void;

/** An https agent that reads the TLS files anew for every connection it makes. */
export class TlsAgent extends Agent {
  readonly #tls: TlsOptions;

  constructor(tls: TlsOptions, options: AgentOptions) {
    // A resumed session would outlive the certificates it was made with.
    super({ ...options, minVersion: "TLSv1.2", maxCachedSessions: 0 });
    this.#tls = tls;
  }

  /** Through a proxy what is returned is the way there; the tunnel's end comes by the callback. */
  override createConnection(options: RequestOptions, connected: Connected): Duplex | undefined {
    try {
      return super.createConnection({ ...options, ...readTls(this.#tls) }, connected as never) as Duplex;
    } catch (error) {
      process.nextTick(connected, error as Error, undefined as never);
      return undefined;
    }
  }
}
