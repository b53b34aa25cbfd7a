import { expect, test } from "vitest";
import { filtered } from "../shared/testing.ts";
import { includeEvents } from "./index.ts";

const START = '{"resource_type":"session","action":"start"}';
const REQUEST = '{"event":"api.request"}';
const NONE = '{"x":1}';
const BROKEN = "no JSON at all";
const ALL = [START, REQUEST, NONE, BROKEN];

test.each([
  ["start", [START, BROKEN]],
  ["session.*", [START, BROKEN]],
  [
    ["api.*", "session.start"],
    [START, REQUEST, BROKEN],
  ],
  ["nothing", [BROKEN]],
])("%j", async (events, expected) => {
  expect((await filtered(includeEvents, { events }, ALL)).lines).toEqual(expected);
});

test("gives the batch itself where nothing is dropped", async () => {
  const { input, output } = await filtered(includeEvents, { events: "*" }, [START, BROKEN]);
  expect(output).toBe(input);
});

test("options", () => {
  expect(includeEvents.options.safeParse({ events: ["a"], event: "b" }).success).toBe(false);
  expect(includeEvents.options.safeParse(includeEvents.example).success).toBe(true);
});
