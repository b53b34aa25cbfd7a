/** The sink's process, as the jobs see it. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import type { Expected, Tallies, Tally } from "./tally.ts";

export interface Sink {
  readonly url: string;
  /** Port that takes syslog over TCP. */
  readonly tcp: number;
  tallies(): Promise<Tallies>;
  clear(): Promise<void>;
  close(): void;
}

export async function startSink(env: Record<string, string> = {}): Promise<Sink> {
  const program = fileURLToPath(new URL("sink.ts", import.meta.url));
  const child = spawn(process.execPath, [program], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  const { port, tcp } = await new Promise<{ port: number; tcp: number }>((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code) => reject(new Error(`the sink ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    tcp,
    tallies: async () => (await (await fetch(`${url}/_tally`)).json()) as Tallies,
    clear: async () => void (await fetch(`${url}/_clear`)).text(),
    close: () => child.kill(),
  };
}

const NOTHING: Tally = { entries: 0, checksum: 0 };

export function same(expected: Expected, received: Tally = NOTHING): boolean {
  return (
    received.entries === expected.entries &&
    (expected.checksum === undefined || received.checksum === expected.checksum)
  );
}
