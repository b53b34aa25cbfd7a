/** What Elasticsearch's answers mean for the records. Pure: no network, no state. */

import type { Failure } from "../../agent/api/output.ts";
import { retryAfterMs } from "../shared/retry-after.ts";

/** One item of a bulk answer that is not a plain success. */
export interface BulkError {
  readonly type?: unknown;
  readonly reason?: unknown;
  readonly index?: unknown;
  readonly caused_by?: unknown;
}

export type Verdict = "stored" | "conflict" | Failure;

/**
 * Faults of the document itself: the same bytes would be refused again by a cluster that takes all others. A closed list; what is not
 * here is held to be the operator's, because a wrongly buried entry is worse than a lane that waits and says why.
 */
const DOCUMENT_FAULTS: ReadonlySet<string> = new Set([
  "document_parsing_exception", // 8.x and later
  "mapper_parsing_exception", // before, and for dynamic mappings
  "strict_dynamic_mapping_exception",
  "x_content_parse_exception",
  "parsing_exception",
  "json_parse_exception",
  "stream_constraints_exception", // nested too deeply, a number too long
  "input_coercion_exception", // a number too large for its field
  "number_format_exception",
  "date_time_parse_exception",
  "max_bytes_length_exceeded_exception", // a term above 32,766 bytes
  "timestamp_error", // outside the writable range of a time series
]);

/** `illegal_argument_exception` says almost anything; these are the document's. Compared with the beginning of a reason or its cause. */
const DOCUMENT_REASONS: readonly RegExp[] = [
  /^Document contains at least one immense term/,
  // One entry with a thousand keys must not stop all the others. If every entry is refused, the lane finds out and waits.
  /^Limit of (total fields|mapping depth|nested fields|nested documents|field name length) \[/,
  /^Field name \[.{0,600}\] (in index .{0,300} )?is too long/,
  /^(the|The) number of nested documents has exceeded/,
  /^mapper \[.{0,600}\] cannot be changed from type \[/,
  /^can't merge a non[- ]object mapping \[/,
  /^Can't merge a non[- ]object mapping \[/,
  /^object mapping \[.{0,600}\] can't be changed from/,
  /^data stream timestamp field \[@timestamp\]/,
  // Lucene's own limits and rules. A name above 32,766 bytes does it, or a member that is called like an internal field (`_primary_term`).
  /^DocValuesField "/,
  /^Inconsistency of field data structures across documents for field \[/,
  /^cannot change field "/,
];

/** Judges one item of a bulk answer by its status and error. `redirected`: it went to the failure store of the data stream. */
export function classifyItem(status: number, error: BulkError | undefined, redirected = false): Verdict {
  // Answered 201 all the same, and not found by who searches the data stream.
  if (redirected) return { action: "reject", reason: REDIRECTED };
  if (status >= 200 && status < 300) return "stored";
  const type = typeof error?.type === "string" ? error.type : "";
  const reason = reasonOf(status, error);
  if (status === 409) return "conflict";
  // "No master" (503) passes by itself. A write or read-only block does not, not even when it comes as 429 (a full disk's flood stage).
  if (type === "cluster_block_exception" && status < 500) return { action: "block", reason };
  if (status === 429 || status >= 500) return { action: "retry", reason };
  if (
    status === 400 &&
    (DOCUMENT_FAULTS.has(type) || (type === "illegal_argument_exception" && isDocumentReason(error)))
  ) {
    return { action: "reject", reason };
  }
  return { action: "block", reason };
}

/** https://www.elastic.co/docs/manage-data/data-store/data-streams/failure-store */
const REDIRECTED =
  "failure_store: the document did not fit, or a pipeline failed; the server put it into the data stream's failure store and keeps the reason there (GET NAME::failures/_search)";

function isDocumentReason(error: BulkError | undefined): boolean {
  for (let e: BulkError | undefined = error, depth = 0; e !== undefined && depth < 5; e = causeOf(e), depth++) {
    const { reason } = e;
    if (typeof reason === "string" && DOCUMENT_REASONS.some((r) => r.test(reason))) return true;
    if (typeof e.type === "string" && e.type !== "illegal_argument_exception" && DOCUMENT_FAULTS.has(e.type))
      return true;
  }
  return false;
}

/** As the server said it: its type, its reason, and the innermost cause; at most about 1,000 characters. */
export function reasonOf(status: number, error: BulkError | undefined): string {
  if (error === undefined) return `status ${status}`;
  const parts = [`${text(error.type) || `status ${status}`}: ${text(error.reason) || "no reason given"}`];
  let cause: BulkError | undefined;
  for (let e = causeOf(error), depth = 0; e !== undefined && depth < 5; e = causeOf(e), depth++) cause = e;
  const why = text(cause?.reason);
  if (why !== "" && !parts[0]!.includes(why)) parts.push(why);
  return parts.join("; ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value.replace(/\s+/g, " ").slice(0, 500) : "";
}

function causeOf(error: BulkError): BulkError | undefined {
  const cause = error.caused_by;
  return typeof cause === "object" && cause !== null ? (cause as BulkError) : undefined;
}

export type RequestVerdict =
  | { readonly is: "read" }
  | { readonly is: "refused" | "blocked"; readonly reason: string }
  | { readonly is: "retry"; readonly reason: string; readonly pauseMs?: number }
  /** Nothing is known of what became of it: thrown, so that everything is written again. */
  | { readonly is: "unknown"; readonly reason: string };

/** Judges a whole answer by its status. `nowMs`: for a Retry-After that names a date. `sent`: what a bulk request held. */
export function classifyRequest(
  status: number,
  body: string,
  retryAfter: string | undefined,
  nowMs: number,
  sent?: { readonly bytes: number; readonly records: number },
): RequestVerdict {
  if (status === 200) return { is: "read" };
  const reason = requestReason(status, body);
  if (status === 429 && isTooLargeItself(body, sent && sent.bytes + sent.records * RECORD_OVERHEAD)) {
    return { is: "refused", reason: `${reason}: this request alone is above indexing_pressure.memory.limit` };
  }
  if (status === 429 || status === 503) {
    const pauseMs = retryAfterMs(retryAfter, nowMs);
    return { is: "retry", reason, ...(pauseMs !== undefined && { pauseMs }) };
  }
  if (status === 413)
    return { is: "refused", reason: `${reason}: larger than http.max_content_length, or than a proxy allows` };
  // Elasticsearch's own 400 is about what it was sent; a 400 of anything in between says nothing about the records.
  if (status === 400) return isElasticError(body) ? { is: "refused", reason } : { is: "blocked", reason };
  if (
    status === 408 ||
    status === 417 ||
    status === 425 ||
    status < 200 ||
    status >= 500 ||
    (status > 200 && status < 300)
  ) {
    return { is: "unknown", reason };
  }
  return { is: "blocked", reason };
}

/** What Elasticsearch counts for a record beside its lines: 150 to 240 bytes in 8.19 and 9.5. */
const RECORD_OVERHEAD = 160;

/**
 * Indexing pressure: `… coordinating_operation_bytes=N, max_coordinating_bytes=M`. Above the limit all by itself it will never be taken.
 * 9.5 takes a request piece by piece and names the last piece alone (8.19 the whole): `bytes` is all of it, as it was sent.
 * https://www.elastic.co/docs/reference/elasticsearch/index-settings/pressure
 */
export function isTooLargeItself(reason: string, bytes = 0): boolean {
  const asked = /\b(?:coordinating|primary)_operation_bytes=(\d{1,15})/.exec(reason);
  const most = /\bmax_(?:coordinating|primary|coordinating_and_primary)_bytes=(\d{1,15})/.exec(reason);
  return asked !== null && most !== null && Math.max(Number(asked[1]), bytes) > Number(most[1]);
}

const HINTS: Readonly<Record<number, string>> = {
  401: "check api_key, username and password, or bearer",
  403: "the account lacks a privilege",
  404: "is this the address of Elasticsearch, with the right path?",
  406: "the server does not speak this protocol",
};

/** `HTTP 403 security_exception: …`; never a whole page of HTML. */
export function requestReason(status: number, body: string): string {
  const hint = HINTS[status] === undefined ? "" : ` (${HINTS[status]})`;
  const error = errorOf(body);
  if (error !== undefined)
    return `HTTP ${status} ${typeof error === "string" ? error.slice(0, 500) : reasonOf(status, error)}${hint}`;
  const line = body
    .replace(/<[^>]{0,1000}>/g, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, 200);
  return `HTTP ${status}${line === "" ? "" : ` ${line}`}${hint}`;
}

function isElasticError(body: string): boolean {
  return errorOf(body) !== undefined;
}

function errorOf(body: string): BulkError | string | undefined {
  if (!body.startsWith("{") || body.length > 1_000_000) return undefined;
  try {
    const { error } = JSON.parse(body) as { error?: unknown };
    if (typeof error === "string") return error;
    return typeof error === "object" && error !== null ? (error as BulkError) : undefined;
  } catch {
    return undefined;
  }
}
