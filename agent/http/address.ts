/** Where the HTTP server listens. */
import type { AddressInfo } from "node:net";

/** `host:port`, with brackets around an IPv6 host or without. `option` is said where it is none. */
export function parseListen(listen: string, option: string): { readonly host: string; readonly port: number } {
  const at = listen.lastIndexOf(":");
  const port = Number(listen.slice(at + 1));
  const host = listen.slice(0, Math.max(at, 0)).replace(/^\[(.*)\]$/, "$1");
  if (at < 1 || !Number.isInteger(port) || port > 65_535) {
    throw new Error(`${option}: ${JSON.stringify(listen)} is no host:port with a port up to 65535`);
  }
  return { host, port };
}

export function urlOf({ family, address, port }: AddressInfo, tls: boolean): string {
  return `${tls ? "https" : "http"}://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use",
  EACCES: "this user may not listen on that port",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "the host name is unknown",
};

export function listenError(listen: string, option: string, error: NodeJS.ErrnoException): Error {
  const why = REASONS[error.code ?? ""] ?? error.message;
  return new Error(`cannot listen on ${listen}: ${why}; set ${option} to another address`, { cause: error });
}
