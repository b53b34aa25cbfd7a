import { afterEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { Diskwait } from "./disk-wait.ts";

describe("Diskwait", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("says that a call takes very long while it does, and how long it took", () => {
    vi.useFakeTimers();
    const events: AgentEvent[] = [];
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const wait = new Diskwait({ clock, emit: (event) => void events.push(event) });
    const quick = wait.watch("an fsync", "/data/queue");
    quick.end();
    const slow = wait.watch("an fsync", "/data/queue");
    vi.advanceTimersByTime(5_000);
    now = 7_000;
    slow.end();
    expect(events).toEqual([
      expect.objectContaining({ message: "the disk is slow: an fsync in /data/queue has taken 5 s so far" }),
      expect.objectContaining({ message: "the disk was slow: an fsync in /data/queue took 7000 ms" }),
    ]);
  });
});
