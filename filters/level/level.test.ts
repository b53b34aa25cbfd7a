import { expect, test } from "vitest";
import { filtered } from "../shared/testing.ts";
import { level } from "./index.ts";

const DEBUG = '{"event":"a","level":"debug"}';
const INFO = '{"event":"a","level":"INFO"}';
const ERROR = '{"event":"a","level":"crit"}';
const KILL = '{"action":"kill","resource_type":"task","success":true}';
const FAILED = '{"action":"x","success":false}';
const NONE = '{"action":"x"}';
const BROKEN = '{"event":"a","level":"debug"';
const ALL = [DEBUG, INFO, ERROR, KILL, FAILED, NONE, BROKEN];

test.each([
  [{ min: "debug" }, ALL],
  [{ min: "info" }, [INFO, ERROR, KILL, FAILED, NONE, BROKEN]],
  [{ min: "warn" }, [ERROR, KILL, FAILED, BROKEN]],
  [{ min: "error" }, [ERROR, BROKEN]],
  [{ min: "error", missing: "pass" }, [ERROR, KILL, FAILED, NONE, BROKEN]],
  [{ min: "debug", missing: "drop" }, [DEBUG, INFO, ERROR]],
])("%j", async (settings, expected) => {
  expect((await filtered(level, settings, ALL)).lines).toEqual(expected);
});

test("gives the batch itself where nothing is dropped", async () => {
  const { input, output } = await filtered(level, { min: "info" }, [INFO, ERROR]);
  expect(output).toBe(input);
});

test("an empty batch, and one of which nothing is left", async () => {
  expect((await filtered(level, { min: "info" }, [])).output.count).toBe(0);
  expect((await filtered(level, { min: "info" }, [DEBUG])).output.count).toBe(0);
});

test("options", () => {
  expect(level.options.safeParse({ min: "loud" }).error?.issues[0]?.message).toMatch("must be one of debug, info");
  expect(level.options.safeParse({ min: "info", max: "error" }).success).toBe(false);
  expect(level.options.safeParse(level.example).success).toBe(true);
});
