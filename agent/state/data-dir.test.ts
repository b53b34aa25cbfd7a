import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../api/clock.ts";
import type { AgentEvent } from "../api/events.ts";
import { DataDirBusyError, openDataDir } from "./data-dir.ts";

let base: string;
let dir: string;
const events: AgentEvent[] = [];
const options = { clock: systemClock, emit: (event: AgentEvent) => void events.push(event), reserveBytes: 300_000 };

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), "audit-agent-data-"));
  dir = join(base, "a", "b");
  events.length = 0;
});
afterEach(() => rm(base, { recursive: true, force: true }));

/** A process that holds the directory until it is killed. */
async function holder(): Promise<{ pid: number; kill: () => Promise<void> }> {
  const code = `const { openDataDir } = await import(${JSON.stringify(new URL("./data-dir.ts", import.meta.url).href)});
    await openDataDir(${JSON.stringify(dir)}, { clock: { now: Date.now, monotonic: Date.now }, emit() {}, reserveBytes: 1 });
    console.log("held"); setInterval(() => {}, 1e6);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  await Promise.race([once(child.stdout, "data"), exited]);
  return {
    pid: child.pid!,
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

describe("data directory", () => {
  it("is not made of a directory that holds others' files, nor of a link", async () => {
    await writeFile(join(base, "precious.txt"), "");
    const mode = (await stat(base)).mode;
    await expect(openDataDir(base, options)).rejects.toThrow(
      /not the agent's and not empty \(it holds precious\.txt\)/,
    );
    expect((await stat(base)).mode).toBe(mode);
    await symlink(base, join(base, "link"));
    await expect(openDataDir(join(base, "link"), options)).rejects.toThrow("is a symbolic link");
  });

  it("is made private, with an id and a node name that stay", async () => {
    const first = await openDataDir(dir, options);
    expect(first.id).toMatch(/^[0-9a-f]{32}$/);
    expect(first.node).toMatch(/^[\w.-]+$/);
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    for (const file of ["lock", "owner.json", "identity.json", "reserve"]) {
      expect((await stat(join(dir, file))).mode & 0o777, file).toBe(0o600);
    }
    expect((await stat(join(dir, "reserve"))).size).toBe(300_000);
    await first.close();
    await first.close();
    const second = await openDataDir(dir, { ...options, node: "configured" });
    expect(second.id).toBe(first.id);
    expect(second.node).toBe("configured");
    await second.close();
    const third = await openDataDir(dir, options);
    expect(third.node).toBe(first.node);
    await third.close();
  });

  it("belongs to one agent: the second is told which process has it, also within one process", async () => {
    const first = await openDataDir(dir, options);
    await expect(openDataDir(dir, options)).rejects.toThrow(DataDirBusyError);
    await expect(openDataDir(dir, options)).rejects.toThrow(`process ${process.pid} on`);
    await first.close();
  });

  it("is free the moment its holder is killed, and only then", async () => {
    const { pid, kill } = await holder();
    await expect(openDataDir(dir, options)).rejects.toMatchObject({ name: "DataDirBusyError", pid });
    await kill();
    const mine = await openDataDir(dir, options);
    // Of many that come at once nobody gets it while it is held.
    const others = await Promise.allSettled(Array.from({ length: 5 }, () => openDataDir(dir, options)));
    expect(others.filter(({ status }) => status === "fulfilled")).toEqual([]);
    await mine.close();
  });

  it("closes itself to others", async () => {
    await (await openDataDir(dir, options)).close();
    await chmod(dir, 0o777);
    await (await openDataDir(dir, options)).close();
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    expect(events).toMatchObject([{ is: "notice", level: "warn" }]);
  });

  it("never makes a new identity over a damaged or newer one", async () => {
    await (await openDataDir(dir, options)).close();
    for (const [content, message] of [
      ["", "damaged"],
      ["{", "damaged"],
      ['{"format":1,"id":"x","node":"n"}', "damaged"],
      ['{"format":2}', "newer version"],
    ] as const) {
      await writeFile(join(dir, "identity.json"), content);
      await expect(openDataDir(dir, options)).rejects.toThrow(message);
    }
    // A refusal does not keep the lock.
    await rm(join(dir, "identity.json"));
    await (await openDataDir(dir, options)).close();
  });

  it("says what is wrong where the path is a file", async () => {
    await writeFile(join(base, "file"), "");
    await expect(openDataDir(join(base, "file"), options)).rejects.toThrow(/cannot make the data directory/);
  });

  it("gives the reserve up and takes it back", async () => {
    const { reserve, close } = await openDataDir(dir, options);
    expect(await reserve.release()).toBe(true);
    expect(await reserve.release()).toBe(false);
    expect(await reserve.restore()).toBe(true);
    expect((await stat(join(dir, "reserve"))).size).toBe(300_000);
    await close();
  });
});
