import { expect, it } from "vitest";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { LaneHealth } from "./lane-health.ts";

const never = new AbortController().signal;

function health(events: AgentEvent[] = []) {
  return new LaneHealth(
    "out",
    systemClock,
    (event) => void events.push(event),
    { initial: 1, max: 1_000 },
    () => 1,
  );
}

it("held, no attempt begins; what is under way ends; released, it is what it was", async () => {
  const events: AgentEvent[] = [];
  const lane = health(events);
  const pass = (await lane.enter(never))!;
  lane.hold("paused by ann");
  expect(lane).toMatchObject({ state: "blocked", reason: "paused by ann", held: true, resting: true });
  let entered = false;
  const next = lane.enter(never).then((made) => {
    entered = true;
    return made;
  });
  let isQuiet = false;
  const quiet = lane.quiet(never).then(() => {
    isQuiet = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect([entered, isQuiet]).toEqual([false, false]);
  lane.ok(pass);
  await quiet;
  expect(entered).toBe(false);
  expect(lane.state).toBe("blocked");
  lane.release();
  expect((await next)!.probe).toBe(false);
  expect(lane).toMatchObject({ state: "ok", reason: undefined, held: false });
  const said = events.flatMap((event) =>
    event.is === "component" ? [`${event.state} ${event.reason ?? ""}`.trim()] : [],
  );
  expect(said).toEqual(["blocked paused by ann", "ok"]);
});

it("held while it fails: the probe waits too, and an aborted one gives up", async () => {
  const lane = health();
  lane.failed((await lane.enter(never))!, "degraded", "down");
  lane.hold("paused");
  const stop = new AbortController();
  const probe = lane.enter(stop.signal);
  await new Promise((resolve) => setTimeout(resolve, 20));
  stop.abort();
  expect(await probe).toBeUndefined();
  lane.release();
  expect(lane.state).toBe("degraded");
  expect((await lane.enter(never))!.probe).toBe(true);
});

it("stopped is stopped, held or not", () => {
  const lane = health();
  lane.hold("paused");
  lane.stopped();
  expect(lane.state).toBe("stopped");
});
