/** Hash chains while the agent is killed, files rotate, and somebody tampers. */
import { appendFileSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { expect, test } from "vitest";
import { ChainWriter } from "../../filters/chain/harness.ts";
import { seeded } from "../fakes/random.ts";
import { byAge } from "../oracle/cases.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { toldIn, writeChainConfig } from "./harness/chain.ts";
import { Workspace } from "./harness/workspace.ts";

const SEED = Number(process.env.SEED ?? 1);
const ROUNDS = 6;

/** Everything the archive got, in the order in which it came. */
function archived(workspace: Workspace): Buffer {
  const [group] = readdirSync(workspace.path("archive"));
  return Buffer.concat(byAge(workspace.path("archive", group!)).map(({ bytes }) => bytes));
}

test("kill -9 while entries are tampered with and files rotate: one alert for each tampering, and the archive is whole", async () => {
  const random = seeded(SEED);
  const workspace = new Workspace();
  const config = await writeChainConfig(workspace, { logs: "logs/audit.jsonl*", chain: { verified_every: "0" } });
  mkdirSync(workspace.path("logs"));
  const live = workspace.path("logs/audit.jsonl");
  const writer = new ChainWriter("app");
  const written: string[] = [];
  const tampered: string[] = [];
  const write = (count: number) => {
    const lines = Array.from({ length: count }, () => {
      const line = writer.line();
      if (random() > 0.003) return line;
      tampered.push(writer.tip);
      return line.replace('"x"', '"y"');
    });
    written.push(...lines);
    appendFileSync(live, lines.map((line) => `${line}\n`).join(""));
  };
  for (let round = 0; round < ROUNDS; round++) {
    const agent = AgentProcess.run(config);
    await agent.logged(/reads tail/);
    for (let step = 0; step < 12; step++) {
      write(1 + Math.floor(random() * 300));
      if (random() < 0.15) {
        for (let n = 8; n > 0; n--) {
          try {
            renameSync(`${live}.${n}`, `${live}.${n + 1}`);
          } catch {}
        }
        renameSync(live, `${live}.1`);
      }
      await new Promise((resolve) => setTimeout(resolve, random() * 150));
    }
    await agent.kill();
  }
  await runOnce(config);
  const breaks = (await toldIn(workspace)).filter(({ event }) => event === "integrity.chain.broken");
  expect(breaks.map(({ found }) => found)).toEqual(tampered);
  expect(new Set(breaks.map(({ kind }) => kind))).toEqual(new Set(["edited"]));
  expect((await toldIn(workspace)).filter(({ event }) => event === "integrity.chain.started")).toHaveLength(1);
  expect(archived(workspace).toString().trimEnd().split("\n")).toEqual(written);
}, 120_000);
