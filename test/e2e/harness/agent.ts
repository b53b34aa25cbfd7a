import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { until } from "./until.ts";

const LAUNCHER = join(import.meta.dirname, "../../../bin/audit-agent.js");

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** The real agent in a process of its own; killed with the test if it still runs. */
export class AgentProcess {
  readonly #child: ChildProcess;
  readonly args: readonly string[];
  readonly exited: Promise<Exit>;
  /** Set once it has ended. */
  exit: Exit | undefined;
  /** What it said so far on standard error (its log). */
  stderr = "";
  stdout = "";

  /** `through`: a command that takes the agent's own as its last arguments and becomes it (`nice`, `setpriv`). */
  constructor(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    { through = [] }: { through?: readonly string[] } = {},
  ) {
    this.args = args;
    const [command, ...rest] = [...through, process.execPath, LAUNCHER, ...args];
    this.#child = spawn(command!, rest, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NODE_OPTIONS: "", ...env },
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
    this.#child.stdin!.on("error", () => {});
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        this.exit = { code, signal };
        resolve(this.exit);
      });
    });
    onTestFinished(async () => {
      if (!this.exit) await this.kill();
    });
  }

  /** `audit-agent run --config FILE …` */
  static run(config: string, ...more: string[]): AgentProcess {
    return new AgentProcess(["run", "--config", config, ...more]);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get stdin(): NodeJS.WritableStream {
    return this.#child.stdin!;
  }

  /** Waits until a line of the log matches. Fails when the agent ends before. */
  async logged(pattern: RegExp): Promise<void> {
    await this.until(`the log to match ${pattern}`, () => pattern.test(this.stderr));
  }

  /** Waits for a condition outside, as long as the agent runs. */
  async until<T>(
    what: string,
    check: () => T | undefined | false | Promise<T | undefined | false>,
    timeoutMs?: number,
  ): Promise<T> {
    return until(
      what,
      () => {
        if (this.exit) throw new Error(`the agent ended (${JSON.stringify(this.exit)}) before ${what}\n${this.stderr}`);
        return check();
      },
      { context: () => this.stderr.slice(-10_000), ...(timeoutMs === undefined ? {} : { timeoutMs }) },
    );
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  /** SIGTERM, and its end. */
  async stop(): Promise<Exit> {
    this.#child.kill("SIGTERM");
    return this.exited;
  }

  reload(): void {
    this.#child.kill("SIGHUP");
  }
}

/** Runs until everything there is has been delivered. Throws unless the agent says that all is well. */
export async function runOnce(config: string): Promise<AgentProcess> {
  const agent = AgentProcess.run(config, "--once");
  const { code } = await agent.exited;
  if (code !== 0) throw new Error(`run --once exited with ${code}\n${agent.stderr}`);
  return agent;
}
