import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { agentLines, dashboardLines } from "./samples.ts";

test("the dashboard sample is a valid chain: SHA-256 of the previous hash and the entry in Python's sorted form", () => {
  const lines = dashboardLines(Date.UTC(2026, 1, 3, 4, 5, 6, 7));
  let previous = "0".repeat(64);
  for (const line of lines) {
    const { _integrity_hash, details, ...rest } = JSON.parse(line);
    const entry: Record<string, unknown> = { ...rest, details };
    // Independent of the writer: every value here is ASCII, so only separators and order differ from JSON.stringify.
    const parts = Object.keys(entry)
      .sort()
      .map((key) =>
        key === "details"
          ? `"details": {"number": ${details.number}, "sample": ${details.sample}}`
          : `"${key}": ${JSON.stringify(entry[key])}`,
      );
    previous = createHash("sha256")
      .update(`${previous}{${parts.join(", ")}}`)
      .digest("hex");
    expect(_integrity_hash).toBe(previous);
  }
  expect(JSON.parse(lines.at(-1)!).timestamp).toBe("2026-02-03T04:05:06.007000+00:00");
  expect(new Set(lines.map((line) => JSON.parse(line).timestamp)).size).toBe(lines.length);
});

test("the agent sample is in the shape that the agent writes", () => {
  const lines = agentLines(0).map((line) => JSON.parse(line));
  expect(lines.at(-1)).toEqual({
    timestamp: "1970-01-01T00:00:00Z",
    action: "session_stop",
    description: "Session ended",
    details: "result=0,iterations=1",
    iteration: 1,
    pid: 4242,
  });
});
