/** What became of a request that had no answer: whether it can have been acted upon, and why, for a person. */
import { tlsReason } from "./tls.ts";

export const CONNECT_MS = 10_000;

/** Neither refused nor taken. */
export class ConnectTimeout extends Error {
  readonly code = "CONNECT_TIMEOUT";

  constructor() {
    super(`no connection within ${CONNECT_MS / 1000} s`);
  }
}

/** No byte of the request can have been acted upon. */
export function notSent(error: Error): boolean {
  const { code } = rootOf(error);
  return (
    code !== undefined && /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CONNECT_TIMEOUT)$/.test(code)
  );
}

/** The connection ended before there was an answer. */
export function isBroken(error: Error): boolean {
  const { code } = rootOf(error);
  return code !== undefined && /^(ECONNRESET|EPIPE)$/.test(code);
}

function rootOf(error: Error): NodeJS.ErrnoException {
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return inner instanceof Error && (error as NodeJS.ErrnoException).code === undefined ? rootOf(inner) : error;
}

/** For a person; without anything of a proxy's address, which may hold a password. */
export function explain(error: Error): string {
  if (error instanceof AggregateError) return error.errors.map((e: Error) => e.message).join("; ");
  const { code, message } = rootOf(error);
  if (code === "ECONNRESET") return "the connection was closed before the answer";
  if (code === "EPIPE") return "the connection was closed while the request was being sent";
  if (code === "HPE_HEADER_OVERFLOW") return "the headers of the answer are too long";
  if (code?.startsWith("HPE_")) return `what answers does not speak HTTP/1.1 (${message})`;
  if (code === "ERR_INVALID_CHAR") {
    return `${message}: its value holds what no header may (a line break, a letter beyond Latin-1)`;
  }
  return tlsReason(message).replace(/\/\/[^/@\s]*@/g, "//");
}
