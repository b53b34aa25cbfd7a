import { spawn } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { WriterOptions } from "../../fakes/writer.ts";
import type { Workspace } from "./workspace.ts";

const WRITER = join(import.meta.dirname, "../../fakes/writer.ts");
const JOURNAL = "journal.jsonl";

/** The writer in its own process: appends and rotates until it is stopped. Its logs are in `logs/` of the workspace. */
export function startWriter(workspace: Workspace, options: Partial<WriterOptions> & { seed: number }) {
  const all: WriterOptions = {
    folder: workspace.path("logs"),
    journal: workspace.path(JOURNAL),
    linesPerSecond: 1000,
    rotateBytes: 200_000,
    shiftMs: 700,
    dayMs: 2500,
    ...options,
  };
  const child = spawn(process.execPath, [WRITER, JSON.stringify(all)], { stdio: ["pipe", "ignore", "pipe"] });
  let errors = "";
  child.stdin.on("error", () => {});
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
    await ended;
  });
  return {
    /** Finished lines so far, as they were written. */
    journal: () => workspace.lines(JOURNAL),
    /** Set once it has ended, by itself or stopped. */
    get over(): boolean {
      return child.exitCode !== null;
    },
    /** Finishes the open line and ends. */
    async stop(): Promise<void> {
      if (child.exitCode === null) child.stdin.end();
      const code = await ended;
      if (code !== 0) throw new Error(`the writer ended with ${code}\n${errors}`);
    },
  };
}
