import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Workspace } from "./workspace.ts";

/** Why no disk can be mounted here; undefined where it can. */
export function noMountReason(): string | undefined {
  if (process.platform !== "linux") return "needs Linux";
  const folder = `/tmp/audit-agent-mount-${process.pid}`;
  mkdirSync(folder);
  const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], {
    encoding: "utf8",
  });
  if (status === 0) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true, force: true });
  return status === 0 ? undefined : `mounting a small tmpfs needs root: ${stderr ?? "no mount"}`.trim();
}

/** A disk of its own, in memory, in a folder of the workspace. */
export class SmallDisk {
  readonly path: string;

  constructor(workspace: Workspace, name: string, size: string) {
    this.path = workspace.path(name);
    mkdirSync(this.path);
    const { status, stderr } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", this.path]);
    if (status !== 0) throw new Error(String(stderr));
    // Before the workspace goes, and even where the agent's end is slow: lazily.
    onTestFinished(() => void spawnSync("umount", ["-l", this.path]));
  }

  /** Fills it up to the last byte with something that has nothing to do with the agent. */
  fill(leave = 0): void {
    const chunk = Buffer.alloc(64 * 1024, "filler");
    const file = openSync(join(this.path, "filler"), "a");
    try {
      for (let size = chunk.length; size >= 1; ) {
        try {
          if (writeSync(file, chunk, 0, size) < size) size >>= 1;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
          size >>= 1;
        }
      }
    } finally {
      closeSync(file);
    }
    if (leave > 0) this.#shorten(leave);
  }

  #shorten(by: number): void {
    const { status } = spawnSync("truncate", ["-s", `-${by}`, join(this.path, "filler")]);
    if (status !== 0) throw new Error("cannot shorten the filler");
  }

  /** Gives the room back. */
  clear(): void {
    rmSync(join(this.path, "filler"), { force: true });
  }
}
