import { expect, test } from "vitest";
import { chainView, inputView, outputView } from "../../test/fakes/operate-views.ts";
import { chainMark, inputMark, type Mark, outputMark, worstFirst } from "./mark.ts";

const since = "2026-02-12T10:32:00Z";
const before = "2026-02-12T10:31:59Z";
const after = "2026-02-12T10:33:00Z";
const backlog = (oldest_seconds: number) => ({ records: 5, bytes: 5, oldest_seconds });

test.each([
  ["well", outputView("o"), "ok", "ok"],
  [
    "nothing settled since it began",
    outputView("o", { state: "degraded", since, last_progress: before }),
    "bad",
    "down",
  ],
  ["nothing settled ever", outputView("o", { state: "degraded", since, last_progress: null }), "bad", "down"],
  ["it goes on all the same", outputView("o", { state: "degraded", since, last_progress: after }), "warn", "degraded"],
  ["blocked", outputView("o", { state: "blocked" }), "bad", "blocked"],
  ["paused, whatever else", outputView("o", { state: "degraded", paused: true }), "paused", "paused"],
  ["stalled", outputView("o", { stalled: true }), "warn", "stalled"],
  ["behind", outputView("o", { backlog: backlog(31) }), "busy", "behind"],
  ["gathering for an object", outputView("o", { backlog: backlog(250), waits_seconds: 300 }), "ok", "ok"],
] as const)("an output: %s", (_, output, mark, word) => {
  expect(outputMark(output)).toEqual({ mark, word });
});

test("an input is behind when it has something to read for long", () => {
  expect(inputMark(inputView("i", { lag: { bytes: 10, seconds: 31, files: 1 } })).mark).toBe("busy");
  expect(inputMark(inputView("i", { lag: { bytes: 0, seconds: 31, files: 1 } })).mark).toBe("ok");
  expect(inputMark(inputView("i", { state: "stopped" })).word).toBe("ended");
});

test("a chain that was begun anew is not one that was tampered with", () => {
  const broken = (kind: string) => {
    const last_break = { kind, explanation: "", path: null, offset: 0, at: since };
    return chainView("g", { state: "broken", breaks: 1, last_break });
  };
  expect(chainMark(broken("restarted")).mark).toBe("busy");
  expect(chainMark(broken("edited"))).toEqual({ mark: "bad", word: "broken" });
  expect(chainMark(chainView("g")).mark).toBe("ok");
});

test("the worst come first, the others in their order", () => {
  const parts: { name: string; mark: Mark }[] = Array.from({ length: 10 }, (_, i) => ({ name: `${i}`, mark: "ok" }));
  parts[7] = { name: "7", mark: "warn" };
  parts[9] = { name: "9", mark: "bad" };
  const chosen = worstFirst(parts, 4, ({ mark }) => ({ mark, word: mark }));
  expect(chosen.shown.map(({ name }) => name)).toEqual(["9", "7", "0", "1"]);
  expect(chosen.more).toHaveLength(6);
  // "and 1 more" would take as much room as the one.
  expect(worstFirst(parts, 9, ({ mark }) => ({ mark, word: mark })).shown).toBe(parts);
});
