import { expect, test } from "vitest";
import type { LogView } from "../api/operate.ts";
import { setUp } from "./harness.ts";

const retry = { is: "retry", output: "es", records: 2, attempt: 1, delayMs: 900, reason: "timed out" } as const;

test("lines of level info and above, as the log has them, whatever level the log has", () => {
  for (const level of ["debug", "error", "silent"] as const) {
    const { telemetry } = setUp({ level });
    telemetry.emit({ is: "read", input: "tail", records: 1, bytes: 1 });
    telemetry.emit({ is: "notice", level: "info", component: "agent", message: "hello" });
    telemetry.emit(retry);
    telemetry.emit({ is: "component", kind: "output", name: "es", state: "blocked", reason: "401" });
    expect(telemetry.recent()).toEqual([
      { time: "2026-01-02T03:04:05.000Z", level: "info", event: "notice", component: "agent", message: "hello" },
      {
        time: "2026-01-02T03:04:05.000Z",
        level: "warn",
        event: "retry",
        component: "es",
        message: "attempt 1 failed, next in 900 ms: timed out",
      },
      {
        time: "2026-01-02T03:04:05.000Z",
        level: "error",
        event: "component",
        component: "es",
        message: "is blocked: 401",
      },
    ]);
  }
});

test("repeats are held back as in the log, and told with their number", async () => {
  const { telemetry, time, lines } = setUp({ level: "warn" });
  const heard: LogView[] = [];
  telemetry.subscribe((line) => heard.push(line));
  for (let attempt = 1; attempt <= 5; attempt++) telemetry.emit({ ...retry, attempt });
  time.ms = 60_000;
  telemetry.emit({ ...retry, attempt: 6 });
  telemetry.emit({ ...retry, attempt: 7 });
  await telemetry.close();
  const messages = telemetry.recent().map(({ message }) => message);
  expect(messages).toEqual([
    "attempt 1 failed, next in 900 ms: timed out",
    "attempt 6 failed, next in 900 ms: timed out (4 like this held back before)",
    "attempt 7 failed, next in 900 ms: timed out (1 like this held back)",
  ]);
  expect(lines().map(({ msg }) => msg)).toEqual(messages);
  expect(heard).toEqual(telemetry.recent());
  expect(heard[2]).toMatchObject({ event: "retry", component: "es", level: "warn" });
});

test("the last 200 are kept, long ones cut", () => {
  const { telemetry } = setUp({ level: "silent" });
  for (let i = 0; i < 1000; i++)
    telemetry.emit({
      is: "notice",
      level: "info",
      component: "agent",
      message: `${i} ${"x".repeat(i === 999 ? 1e6 : 1)}`,
    });
  const recent = telemetry.recent();
  expect(recent).toHaveLength(200);
  expect(recent[0]!.message).toBe("800 x");
  expect(recent[199]!.message).toHaveLength(2001);
});

test("who does not want more hears no more; who fails is dropped and harms nobody", () => {
  const { telemetry } = setUp({ level: "silent" });
  const heard: string[] = [];
  let failed = 0;
  const end = telemetry.subscribe(({ message }) => heard.push(message));
  telemetry.subscribe(() => {
    failed++;
    throw new Error("gone");
  });
  const say = (message: string) => telemetry.emit({ is: "notice", level: "info", component: "agent", message });
  say("one");
  say("two");
  end();
  end();
  say("three");
  expect([heard, failed]).toEqual([["one", "two"], 1]);
});
