import { expect, test } from "vitest";
import { retryAfterMs } from "../shared/retry-after.ts";
import { classifyItem, classifyRequest, reasonOf, requestReason } from "./classify.ts";

const action = (status: number, type: string, reason = "because") => {
  const verdict = classifyItem(status, { type, reason });
  return typeof verdict === "string" ? verdict : verdict.action;
};

test.each([
  [200, "", "stored"],
  [201, "", "stored"],
  [409, "version_conflict_engine_exception", "conflict"],
  [429, "es_rejected_execution_exception", "retry"],
  [429, "circuit_breaking_exception", "retry"],
  [429, "cluster_block_exception", "block"], // flood stage: the disk is full
  [403, "cluster_block_exception", "block"],
  [503, "cluster_block_exception", "retry"], // no master
  [503, "unavailable_shards_exception", "retry"],
  [500, "anything", "retry"],
  [400, "document_parsing_exception", "reject"],
  [400, "mapper_parsing_exception", "reject"],
  [400, "strict_dynamic_mapping_exception", "reject"],
  [400, "validation_exception", "block"], // no shards left
  [400, "index_closed_exception", "block"],
  [400, "invalid_index_name_exception", "block"],
  [400, "script_exception", "block"],
  [400, "some_future_exception", "block"],
  [401, "security_exception", "block"],
  [403, "security_exception", "block"],
  [404, "index_not_found_exception", "block"],
  [404, "document_parsing_exception", "block"], // never with this status
  [302, "", "block"],
])("%i %s is %s", (status, type, expected) => {
  expect(action(status, type)).toBe(expected);
});

test.each([
  ['Document contains at least one immense term in field="k" (whose UTF8 encoding is longer', "reject"],
  ["Limit of total fields [1000] has been exceeded while adding new fields [1]", "reject"],
  ["mapper [a.b] cannot be changed from type [long] to [text]", "reject"],
  ["can't merge a non object mapping [a] with an object mapping", "reject"],
  ["data stream timestamp field [@timestamp] is missing", "reject"],
  ['DocValuesField "_ignored" is too large, must be <= 32766', "reject"],
  ["Inconsistency of field data structures across documents for field [_primary_term] of doc [13].", "reject"],
  ['cannot change field "_primary_term" from doc values type=NUMERIC to inconsistent doc values type', "reject"],
  ["pipeline with id [p] does not exist", "block"],
  ["only write ops with an op_type of create are allowed in data streams", "block"],
  ["index [x] Limit of total fields [", "block"],
])("illegal_argument_exception: %s is %s", (reason, expected) => {
  expect(action(400, "illegal_argument_exception", reason)).toBe(expected);
});

test("a cause can tell that it was the document, however long the chain", () => {
  const cause = { type: "max_bytes_length_exceeded_exception", reason: "bytes can be at most 32766" };
  expect(classifyItem(400, { type: "illegal_argument_exception", reason: "?", caused_by: cause })).toMatchObject({
    action: "reject",
    reason: "illegal_argument_exception: ?; bytes can be at most 32766",
  });
  const circle: Record<string, unknown> = { type: "illegal_argument_exception", reason: "?" };
  circle.caused_by = circle;
  expect(classifyItem(400, circle)).toMatchObject({ action: "block" });
});

test("reasons are one line, and bounded", () => {
  expect(reasonOf(400, { type: "t", reason: `a\n at b${"x".repeat(9_000)}` })).toMatch(/^t: a at bx{480,500}$/);
  expect(reasonOf(400, { type: 5, reason: {} })).toBe("status 400: no reason given");
  expect(reasonOf(400, undefined)).toBe("status 400");
});

const error = (type: string) => JSON.stringify({ error: { type, reason: "r" }, status: 0 });

test.each([
  [200, "", "read"],
  [400, error("illegal_argument_exception"), "refused"],
  [400, "<html>Bad Request</html>", "blocked"],
  [401, error("security_exception"), "blocked"],
  [403, error("security_exception"), "blocked"],
  [404, "", "blocked"],
  [406, "", "blocked"],
  [413, "", "refused"],
  [429, "", "retry"],
  [503, "", "retry"],
  [301, "", "blocked"],
  [408, "", "unknown"],
  [500, "", "unknown"],
  [502, "<html>Bad Gateway</html>", "unknown"],
  [504, "", "unknown"],
  [202, "", "unknown"],
])("an answer %i %s is %s", (status, body, is) => {
  expect(classifyRequest(status, body, undefined, 0).is).toBe(is);
});

test.each([
  ["3", 3_000],
  ["0", 0],
  ["Thu, 01 Jan 1970 00:00:10 GMT", 9_000],
  ["Thu, 01 Jan 1970 00:00:00 GMT", undefined],
  ["soon", undefined],
  ["-1", undefined],
  ["999999999", 3_600_000],
  [undefined, undefined],
])("Retry-After %s is %s ms", (header, ms) => {
  expect(retryAfterMs(header, 1_000)).toBe(ms);
});

test("a page of HTML becomes a line, a hint says what to do", () => {
  expect(requestReason(502, "<html>\n<body><h1>Bad</h1> gateway</body>")).toBe("HTTP 502 Bad gateway");
  expect(requestReason(401, error("security_exception"))).toBe(
    "HTTP 401 security_exception: r (check api_key, username and password, or bearer)",
  );
  expect(requestReason(404, '{"error":"no handler"}')).toMatch(/^HTTP 404 no handler \(is this/);
  expect(requestReason(500, "")).toBe("HTTP 500");
});

test("what went to a failure store is refused, although the answer says 201", () => {
  const verdict = classifyItem(201, undefined, true);
  expect(verdict).toEqual({ action: "reject", reason: expect.stringMatching(/^failure_store: /) });
});

test.each([
  ["coordinating_operation_bytes=2000000, max_coordinating_bytes=1048576", 0, 0, "refused"],
  ["coordinating_operation_bytes=1000, max_coordinating_bytes=1048576", 0, 0, "retry"],
  // Taken piece by piece, of which the last one is named: what was sent tells.
  ["coordinating_operation_bytes=9752, max_coordinating_bytes=1048576", 952_990, 900, "refused"],
  ["coordinating_operation_bytes=9752, max_coordinating_bytes=1048576", 317_590, 300, "retry"],
  ["queue capacity reached", 1e9, 1e6, "retry"],
])("429 because of %s, %i bytes in %i records: %s", (why, bytes, records, is) => {
  const error = {
    type: "es_rejected_execution_exception",
    reason: `rejected execution of coordinating operation [${why}]`,
  };
  const body = JSON.stringify({ error, status: 429 });
  expect(classifyRequest(429, body, undefined, 0, { bytes, records })).toMatchObject({ is });
});
