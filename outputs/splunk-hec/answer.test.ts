import { expect, test } from "vitest";
import type { HttpReply } from "../shared/http.ts";
import { acknowledged, verdictOf } from "./answer.ts";

const NOW = Date.UTC(2026, 1, 1);
const reply = (status: number, body: unknown, headers: HttpReply["headers"] = {}): HttpReply => ({
  status,
  text: typeof body === "string" ? body : JSON.stringify(body),
  headers,
  endpoint: "e",
  sent: true,
});

// Every code that is documented, and 28, which Splunk Cloud answers.
test.each([
  [200, 0, "Success", "taken"],
  [403, 1, "Token disabled", "blocked"],
  [401, 2, "Token is required", "blocked"],
  [401, 3, "Invalid authorization", "blocked"],
  [403, 4, "Invalid token", "blocked"],
  [400, 5, "No data", "refused"],
  [400, 6, "Invalid data format", "invalid"],
  [400, 7, "Incorrect index", "blocked"],
  [500, 8, "Internal server error", "unknown"],
  [503, 9, "Server is busy", "busy"],
  [400, 10, "Data channel is missing", "blocked"],
  [400, 11, "Invalid data channel", "blocked"],
  [400, 12, "Event field is required", "invalid"],
  [400, 13, "Event field cannot be blank", "invalid"],
  [400, 14, "ACK is disabled", "blocked"],
  [400, 15, "Error in handling indexed fields", "invalid"],
  [400, 16, "Query string authorization is not enabled", "blocked"],
  [200, 17, "HEC is healthy", "unknown"],
  [503, 18, "HEC is unhealthy, queues are full", "busy"],
  [503, 19, "HEC is unhealthy, ack service unavailable", "busy"],
  [503, 20, "HEC is unhealthy, queues are full, ack service unavailable", "busy"],
  [400, 21, "Invalid token", "blocked"],
  [400, 22, "Token disabled", "blocked"],
  [503, 23, "Server is shutting down", "busy"],
  [200, 24, "HEC queue is approaching its capacity limit", "taken"],
  [200, 25, "HEC ACK is approaching its capacity limit", "taken"],
  [429, 26, "HEC queue is at capacity and cannot process any more requests", "busy"],
  [429, 27, "HEC ACK channel is at capacity and cannot process any more requests", "busy"],
  [400, 28, "Data channel is missing.", "blocked"],
  [400, 99, "A code of tomorrow", "refused"],
])("HTTP %d, code %d, %s: %s", (status, code, text, is) => {
  expect(verdictOf(reply(status, { text, code }), NOW).is).toBe(is);
});

test.each([
  [200, "<html>Log in</html>", "unknown"],
  [200, "", "unknown"],
  [200, "null", "unknown"],
  [200, "0", "unknown"],
  [200, { text: "Success", code: "0" }, "unknown"],
  [204, "", "unknown"],
  [302, "", "blocked"],
  [400, "<html>Bad request</html>", "blocked"],
  [400, { code: 400, text: "Bad Request" }, "refused"],
  [401, "no", "blocked"],
  [403, "<html>Forbidden</html>", "blocked"],
  [404, { text: "Not Found", code: 404 }, "blocked"],
  [405, "", "blocked"],
  [407, "", "blocked"],
  [408, "", "unknown"],
  [413, "<html>413 Request Entity Too Large</html>", "refused"],
  [429, "", "busy"],
  [500, "", "unknown"],
  [502, "<html>Bad gateway</html>", "unknown"],
  [503, "", "busy"],
  [504, "", "unknown"],
])("HTTP %d with %j: %s", (status, body, is) => {
  expect(verdictOf(reply(status, body), NOW).is).toBe(is);
});

test("the operator reads what to do", () => {
  const of = (status: number, code: number) => verdictOf(reply(status, { text: "said", code }), NOW);
  expect(of(400, 7)).toMatchObject({
    reason: "HTTP 400: said, code 7 (the token may not write to `index`, or there is none of that name)",
  });
  expect(of(403, 1)).toMatchObject({ reason: "HTTP 403: said, code 1 (switch the token on)" });
  expect(verdictOf(reply(401, "no"), NOW)).toMatchObject({ reason: "HTTP 401: no (check `token`)" });
});

test("which event is invalid is believed only where it is a number", () => {
  const number = (n: unknown) => verdictOf(reply(400, { text: "x", code: 6, "invalid-event-number": n }), NOW);
  expect(number(3)).toMatchObject({ event: 3 });
  for (const odd of ["3", 1.5, null, undefined, {}])
    expect(number(odd)).toMatchObject({ is: "invalid", event: undefined });
});

test("a pause is as long as the collector asks for", () => {
  const pause = (after: string | string[]) => verdictOf(reply(503, "", { "retry-after": after }), NOW);
  expect(pause("7")).toMatchObject({ pauseMs: 7_000 });
  expect(pause(new Date(NOW + 90_000).toUTCString())).toMatchObject({ pauseMs: 90_000 });
  for (const none of ["", "soon", "-5", ["1", "2"]]) expect(pause(none)).toMatchObject({ pauseMs: undefined });
});

test("only what is said to be acknowledged is", () => {
  expect(acknowledged(reply(200, { acks: { 0: true, 1: false, 2: "true", 3: 1, x: true } }))).toEqual([0, Number.NaN]);
  for (const odd of [{}, [], { acks: null }, "", "<html>"])
    expect(() => acknowledged(reply(200, odd))).toThrow("HTTP 200");
  expect(() => acknowledged(reply(500, { acks: { 0: true } }))).toThrow("HTTP 500");
});
