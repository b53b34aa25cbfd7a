/** TLS settings as the platform wants them. Files are read when a connection is made, so a renewed certificate needs no restart. */
import { readFile } from "node:fs/promises";
import { Agent, type AgentOptions, type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";
import type { ConnectionOptions } from "node:tls";
import type { TlsOptions } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";

/** Reads the files named in `tls`. Throws a sentence that names the option and the file. */
export async function readTls(tls: TlsOptions): Promise<ConnectionOptions> {
  const [ca, cert, key] = await Promise.all([pem("ca", tls.ca), pem("cert", tls.cert), pem("key", tls.key)]);
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

async function pem(option: string, file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  let text: Buffer;
  try {
    text = await readFile(file);
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
    super({ ...options, maxCachedSessions: 0 });
    this.#tls = tls;
  }

  override createConnection(options: RequestOptions, connected: Connected): undefined {
    readTls(this.#tls).then(
      (tls) => connected(null, super.createConnection({ ...options, ...tls }, undefined) as Duplex),
      (error: Error) => connected(error, undefined as never),
    );
  }
}
