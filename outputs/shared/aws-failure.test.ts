import { describe, expect, test } from "vitest";
import { awsFailure } from "./aws-failure.ts";

interface Said {
  readonly name?: string;
  readonly status?: number;
  readonly message?: string;
  readonly headers?: Record<string, string>;
  readonly more?: object;
}
/** As the SDK throws it. */
const thrown = ({ name = "Unknown", status, message = "UnknownError", headers = {}, more }: Said) =>
  Object.assign(new Error(message), {
    name,
    ...(status !== undefined && { $metadata: { httpStatusCode: status } }),
    $response: { headers },
    ...more,
  });
const of = (said: Said) => awsFailure(thrown(said));

test.each([
  ["503 SlowDown", { name: "SlowDown", status: 503, message: "Please reduce your request rate." }, "throttled"],
  ["429", { name: "Whatever", status: 429 }, "throttled"],
  ["503 that says when", { name: "ServiceUnavailable", status: 503, headers: { "retry-after": "2" } }, "throttled"],
  ["503", { name: "ServiceUnavailable", status: 503 }, "transient"],
  ["500", { name: "InternalError", status: 500 }, "transient"],
  [
    "502 of a proxy",
    { name: "Error", status: 502, message: "@aws-sdk XML parse error. Deserialization error" },
    "transient",
  ],
  ["409 ConditionalRequestConflict", { name: "ConditionalRequestConflict", status: 409 }, "transient"],
  ["404 NoSuchUpload", { name: "NoSuchUpload", status: 404 }, "transient"],
  ["307 TemporaryRedirect", { name: "TemporaryRedirect", status: 307 }, "transient"],
  ["400 RequestTimeout", { name: "RequestTimeout", status: 400 }, "transient"],
  ["400 BadDigest", { name: "BadDigest", status: 400 }, "transient"],
  ["no answer", { name: "TimeoutError", message: "socket hang up", more: { code: "ECONNRESET" } }, "transient"],
  ["413", { name: "EntityTooLarge", status: 413 }, "too_large"],
  ["403 AccessDenied", { name: "AccessDenied", status: 403, message: "Access Denied" }, "operator"],
  ["404 NoSuchBucket", { name: "NoSuchBucket", status: 404 }, "operator"],
  ["403 RequestTimeTooSkewed", { name: "RequestTimeTooSkewed", status: 403 }, "operator"],
  ["301", { name: "PermanentRedirect", status: 301 }, "operator"],
  ["400 InvalidRequest", { name: "InvalidRequest", status: 400, message: "Bucket is missing Object Lock" }, "operator"],
  ["no credentials", { name: "CredentialsProviderError", message: "Could not load credentials" }, "operator"],
  [
    "a certificate that does not verify",
    { name: "Error", message: "x", more: { code: "CERT_HAS_EXPIRED" } },
    "operator",
  ],
] as const)("%s", (_, said, kind) => {
  expect(of(said).kind).toBe(kind);
});

describe("credentials are asked for anew", () => {
  test.each([
    [{ status: 400 }, true],
    [{ status: 401 }, true],
    [{ status: 403 }, true],
    [{ name: "ExpiredToken", status: 400 }, true],
    [{ name: "InvalidRequest", status: 400, message: "no" }, false],
    [{ status: 404 }, false],
    [{ status: 503 }, false],
  ] as const)("%j: %s", (said, renewed) => {
    expect(of(said).credentials).toBe(renewed);
  });
});

describe("what a person reads", () => {
  const west = { "x-amz-bucket-region": "eu-west-1" };
  test.each([
    [{ name: "PermanentRedirect", status: 301, headers: west }, "it is in another region: set `region: eu-west-1`"],
    [{ status: 301, headers: west }, "it is in another region: set `region: eu-west-1`"],
    [
      { name: "AuthorizationHeaderMalformed", status: 400, more: { Region: "eu-west-1" } },
      "it is in another region: set `region: eu-west-1`",
    ],
    [
      { name: "PermanentRedirect", status: 301, headers: { "x-amz-bucket-region": "eu\nwest" } },
      "PermanentRedirect: it is in another region, or behind another endpoint: set `region` or `endpoint`",
    ],
    [
      { status: 400, headers: west },
      "the service answered 400 and does not say why: mostly credentials that have expired",
    ],
    [{ status: 403 }, "the service answered 403"],
    [
      { name: "Error", status: 403, message: "@aws-sdk XML parse error: x.\n Deserialization error: y" },
      "the answer (403) is not of this service's kind: is there a proxy in between?",
    ],
    [
      { name: "RequestTimeTooSkewed", status: 403, message: "x" },
      "RequestTimeTooSkewed: the clock of this host differs too much from the service's: set it right",
    ],
  ] as const)("%j", (said, reason) => {
    expect(of(said).reason).toBe(reason);
  });
});

test("a pause is what the service asks for, in seconds or until a date, and never for ever", () => {
  const served = "Sun, 01 Feb 2026 10:00:00 GMT";
  const pause = (after: string) =>
    of({ name: "SlowDown", status: 503, headers: { "retry-after": after, date: served } });
  expect(pause("3").pauseMs).toBe(3_000);
  expect(pause("Sun, 01 Feb 2026 10:00:07 GMT").pauseMs).toBe(7_000);
  expect(pause("999999999").pauseMs).toBe(900_000);
  expect(pause("soon").pauseMs).toBeUndefined();
});
