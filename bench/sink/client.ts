/** The sink's process, as the jobs see it. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import type { Expected, Tallies, Tally } from "../tally.ts";
import type { Orders } from "./orders.ts";

export interface Sink {
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  /** Port that takes syslog over TCP. */
  readonly tcp: number;
  /** Starts anew, with nothing counted. */
  begin(orders: Orders): Promise<void>;
  tallies(): Promise<Tallies>;
  close(): void;
}

export async function startSink(): Promise<Sink> {
  const program = fileURLToPath(new URL("main.ts", import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ["pipe", "pipe", "inherit"] });
  const { port, tcp } = await new Promise<{ port: number; tcp: number }>((resolve, reject) => {
    createInterface(child.stdout).once("line", (line) => resolve(JSON.parse(line)));
    child.once("exit", (code) => reject(new Error(`the sink ended with ${code}`)));
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    pid: child.pid!,
    url,
    port,
    tcp,
    async begin(orders) {
      await (await fetch(`${url}/_begin`, { method: "POST", body: JSON.stringify(orders) })).text();
    },
    tallies: async () => (await (await fetch(`${url}/_tally`)).json()) as Tallies,
    close: () => child.kill(),
  };
}

export function same(expected: Expected, received: Tally = { entries: 0, checksum: 0 }): boolean {
  return (
    received.entries === expected.entries &&
    (expected.checksum === undefined || received.checksum === expected.checksum)
  );
}
