/**
 * What an error of the AWS SDK means for the records. Pure. Codes: "Common error types" of each service's API reference and
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
 */
import { retryAfterMs } from "./retry-after.ts";

export interface AwsFailure {
  /**
   * throttled: leave the service alone for a while. operator: waits for a person (credentials, rights, a missing bucket or group, the clock).
   * transient: an outage, it passes. too_large: one request held more than the service takes.
   */
  readonly kind: "throttled" | "operator" | "transient" | "too_large";
  /** For a person; at most MAX_REASON characters, no control characters. What the server said is quoted: redact what is secret. */
  readonly reason: string;
  /** What the service asked for in `Retry-After`, milliseconds. */
  readonly pauseMs?: number;
  /** The credentials are refused or too old: ask for new ones before the next attempt. */
  readonly credentials: boolean;
  /** The service's code (`NoSuchBucket`), or the connection's (`ECONNRESET`). */
  readonly code: string;
  readonly status: number | undefined;
}

/** What errors of the SDK, of Node's sockets and of the credential providers have in common. */
interface SdkError {
  readonly name?: unknown;
  readonly Code?: unknown;
  readonly code?: unknown;
  /** S3 names the bucket's own region in some answers. */
  readonly Region?: unknown;
  readonly message?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: number };
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  readonly errors?: readonly unknown[];
}

const MAX_REASON = 500;
/** A server may ask for anything; a pause of more than this is asked for again. */
const MAX_PAUSE_MS = 15 * 60_000;

const THROTTLED: ReadonlySet<string> = new Set([
  "BandwidthLimitExceeded",
  "PriorRequestNotComplete",
  "RequestLimitExceeded",
  "RequestThrottled",
  "RequestThrottledException",
  "SlowDown",
  "ThrottledException",
  "Throttling",
  "ThrottlingException",
  "TooManyRequests",
  "TooManyRequestsException",
]);

const TOO_LARGE: ReadonlySet<string> = new Set([
  "EntityTooLarge",
  "RequestEntityTooLarge",
  "RequestEntityTooLargeException",
  "RequestTooLargeException",
]);

/** Of the statuses 400 to 499 those that pass by themselves: bytes spoilt on the way, a slow sender, somebody else at the same moment. */
const TRANSIENT: ReadonlySet<string> = new Set([
  "BadDigest",
  "ConditionalRequestConflict",
  "IncompleteBody",
  "InternalFailure",
  "NoSuchUpload",
  "OperationAborted",
  "OperationAbortedException",
  "RequestTimeout",
  "RequestTimeoutException",
  // A new bucket of which not every name server has heard: the way to it passes by itself.
  "TemporaryRedirect",
  "XAmzContentChecksumMismatch",
  "XAmzContentSHA256Mismatch",
]);

/**
 * In our words, because the server's say too little, or too much: some answer a wrong signature with the whole signed text, session token
 * included.
 */
const SAID: Readonly<Record<string, string>> = {
  SignatureDoesNotMatch: "the secret access key is wrong: the signature does not match",
  InvalidSignatureException: "the secret access key is wrong, or the host's clock is: the signature does not match",
  IncompleteSignature: "the service does not understand the signature",
  InvalidAccessKeyId: "the access key is unknown to the service",
  UnrecognizedClientException: "the access key or session token is unknown to the service",
  InvalidClientTokenId: "the access key is unknown to the service",
  InvalidToken: "the session token is invalid",
  ExpiredToken: "the session token has expired",
  ExpiredTokenException: "the session token has expired",
  TokenRefreshRequired: "the session token has to be renewed",
  MissingAuthenticationToken: "the request came without credentials",
  MissingAuthenticationTokenException: "the request came without credentials",
  RequestTimeTooSkewed: "the clock of this host differs too much from the service's: set it right",
  RequestExpired: "the clock of this host differs too much from the service's: set it right",
  RequestInTheFuture: "the clock of this host differs too much from the service's: set it right",
  PermanentRedirect: "it is in another region, or behind another endpoint: set `region` or `endpoint`",
  AuthorizationHeaderMalformed: "the region does not fit: set `region` to where the bucket is",
  IllegalLocationConstraintException: "the region does not fit: set `region` to where the bucket is",
};

/** Before anything is sent. */
const OURS: readonly (readonly [RegExp, string])[] = [
  [
    /^Could not load credentials/,
    "no credentials were found: set `access_key_id` and `secret_access_key`, or a profile, or give the host a role",
  ],
  [/^Region is missing/, "no region is known: set `region`, or AWS_REGION"],
];

/** They mean that the region is wrong: the right one is said where the answer names it. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  "PermanentRedirect",
  "AuthorizationHeaderMalformed",
  "IllegalLocationConstraintException",
]);

/** What the SDK makes of an answer that has no body (HEAD), or one that is no answer of the service. */
const NAMELESS = /^(UnknownError|Unknown|Error|BadRequest|\d{3})$/;

const RENEW: ReadonlySet<string> = new Set([
  "SignatureDoesNotMatch",
  "InvalidSignatureException",
  "InvalidAccessKeyId",
  "UnrecognizedClientException",
  "InvalidClientTokenId",
  "InvalidToken",
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "RequestExpired",
]);

/** No certificate mends itself: a chain that does not verify, a wrong name, TLS that is too old, files of ours that cannot be read. */
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|HOSTNAME_MISMATCH)/;

export function awsFailure(error: unknown): AwsFailure {
  const e = (typeof error === "object" && error !== null ? error : {}) as SdkError;
  const status = e.$metadata?.httpStatusCode;
  const code = codeOf(e, status);
  // A token that has expired is a 400, and an answer to HEAD has no body to say so.
  const mute = status === 400 && NAMELESS.test(code);
  const credentials = status === 401 || status === 403 || mute || RENEW.has(code);
  const pauseMs = pauseOf(e.$response?.headers);
  const of = (kind: AwsFailure["kind"], said = sentence(e, code, status)): AwsFailure => ({
    kind,
    reason: said,
    credentials,
    code,
    status,
    ...(pauseMs !== undefined && kind !== "operator" && { pauseMs }),
  });

  if (THROTTLED.has(code) || status === 429) return of("throttled");
  if (TOO_LARGE.has(code) || status === 413) return of("too_large");
  if (TRANSIENT.has(code)) return of("transient");
  const region = otherRegion(e, code, status);
  if (region !== undefined) return of("operator", `it is in another region: set \`region: ${region}\``);
  if (mute)
    return of("operator", "the service answered 400 and does not say why: mostly credentials that have expired");
  if (SAID[code] !== undefined) return of("operator", `${code}: ${SAID[code]}`);
  if (status === undefined) return of(isOurs(e, code) ? "operator" : "transient");
  if (status === 503 && pauseMs !== undefined) return of("throttled");
  if (status === 408 || status === 409 || status >= 500 || status < 300) return of("transient");
  return of("operator");
}

/** The region that an answer names because ours is another. Also an expired token's bodiless 400 names one: there it may be the right one. */
function otherRegion(e: SdkError, code: string, status: number | undefined): string | undefined {
  if (!ELSEWHERE.has(code) && !(status === 301 && NAMELESS.test(code))) return undefined;
  const found = text(e.Region) || text(e.$response?.headers?.["x-amz-bucket-region"]);
  return /^[a-z0-9-]{1,64}$/.test(found) ? found : undefined;
}

/** Nobody answered, and no waiting will help. */
function isOurs(e: SdkError, code: string): boolean {
  if (TLS_CODE.test(code)) return true;
  if (code === "CredentialsProviderError" || code === "ERR_INVALID_URL") return true;
  return /^(Region is missing|tls\.\w+: )/.test(text(e.message));
}

function codeOf(e: SdkError, status: number | undefined): string {
  // A failed connection to a host with several addresses comes as an AggregateError without a message.
  const first = e.errors?.[0] as SdkError | undefined;
  const name = text(e.name);
  const named = name === "Error" || name === "TypeError" || name === "TimeoutError" || name === "AggregateError";
  const found = status === undefined && named ? text(e.code) || text(first?.code) || name : name || text(e.Code);
  // `com.amazonaws.logs#ThrottlingException:http://…`
  const short = /^(?:.*#)?([^:]*)/s.exec(found)![1]!;
  return clean(short).slice(0, 80) || "Error";
}

function sentence(e: SdkError, code: string, status: number | undefined): string {
  const first = e.errors?.[0] as SdkError | undefined;
  const said = clean(text(e.message).slice(0, 2 * MAX_REASON) || text(first?.message).slice(0, 2 * MAX_REASON));
  for (const [pattern, ours] of status === undefined ? OURS : []) if (pattern.test(said)) return ours;
  if (code === "ECONNRESET") return "the connection was closed before the answer";
  if (code === "EPIPE") return "the connection was closed while the request was being sent";
  // Where an answer has no body (HEAD) the SDK makes its own words up: UnknownError, or the bare status.
  const none = said === "" || said === code || NAMELESS.test(said);
  const alien = /deserialization error/i.test(said);
  const what = none
    ? `the service answered ${status ?? "nothing"}`
    : alien
      ? `the answer (${status ?? "no status"}) is not of this service's kind: is there a proxy in between?`
      : said;
  const prefix = status === undefined || what.includes(code) || NAMELESS.test(code) ? "" : `${code}: `;
  const all = `${prefix}${what}`;
  return all.length > MAX_REASON ? `${all.slice(0, MAX_REASON - 1)}…` : all;
}

/** Dates count from the service's clock: the host's may be what is wrong. */
function pauseOf(headers: Readonly<Record<string, string>> | undefined): number | undefined {
  const ms = retryAfterMs(headers?.["retry-after"], Date.parse(headers?.date ?? ""));
  return ms === undefined ? undefined : Math.min(ms, MAX_PAUSE_MS);
}

const text = (value: unknown) => (typeof value === "string" ? value : "");
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a server says goes into a log line
const clean = (value: string) => value.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ").trim();
