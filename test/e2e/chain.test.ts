/** Hash chains through the real agent: what is told, and what arrives. */
import { cpSync, readdirSync, utimesSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect, test } from "vitest";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import { groupInName } from "../../outputs/file/template.ts";
import type { Answer } from "../oracle/answer.ts";
import { byAge, CHAINS, corpusCases } from "../oracle/cases.ts";
import { walk } from "../oracle/walk.ts";
import { AgentProcess, runOnce } from "./harness/agent.ts";
import { toldIn, writeChainConfig } from "./harness/chain.ts";
import { ledgersOf } from "./harness/observe.ts";
import { Workspace } from "./harness/workspace.ts";

test("the real writers' chains: told as whoever sees them whole tells it, and what arrives verifies as its source does", async () => {
  const workspace = new Workspace();
  const cases = corpusCases();
  for (const { case: name, files_oldest_first: files } of cases) {
    const folder = workspace.path("logs", name);
    cpSync(join(CHAINS, name), folder, { recursive: true });
    for (const [i, file] of files.entries()) utimesSync(join(folder, file), 1e9 + 60 * i, 1e9 + 60 * i);
  }
  const agent = await runOnce(await writeChainConfig(workspace, { logs: "logs/*/*" }));
  const told = await toldIn(workspace);
  expect(readdirSync(workspace.path("archive"))).toHaveLength(cases.length);
  for (const { case: name, scheme } of cases) {
    const source = byAge(workspace.path("logs", name));
    const answer = walk(schemeOf(scheme), source);
    const here = told.filter(({ kind, file }) => kind !== undefined && basename(dirname(file)) === name);
    expect(
      here.map(({ file, line, kind }) => ({ file: basename(file), line, kind })),
      name,
    ).toEqual(answer.breaks.filter(({ kind }) => kind !== "head_missing"));
    const { group } = told.find(({ file }) => basename(dirname(file)) === name)!;
    const arrived = walk(schemeOf(scheme), byAge(workspace.path("archive", groupInName(String(group)))));
    const places = ({ breaks, tip_hash, entries_checked, files_skipped }: typeof answer) => ({
      breaks: breaks.map(({ line, kind }) => ({ line, kind })),
      tip_hash,
      entries_checked,
      files_skipped,
    });
    expect(places(arrived), name).toEqual(places(answer));
  }
  // The verifier itself, on some of each kind.
  for (const name of [
    "dashboard-rotated",
    "dashboard-preintegrity",
    "dashboard-edited",
    "agent-plain",
    "app-deleted",
  ]) {
    const { group } = told.find(({ file }) => basename(dirname(file)) === name)!;
    const source = await verified(workspace.path("logs", name));
    expect(await verified(workspace.path("archive", groupInName(String(group)))), name).toEqual(source);
  }
  const { archive } = ledgersOf(agent);
  expect(archive!.read).toBe(archive!.delivered);
});

async function verified(folder: string): Promise<object> {
  const agent = new AgentProcess(["verify", folder, "--json"]);
  const { code } = await agent.exited;
  const { valid, entries_checked, files_skipped, first_tampered_line, tip_hash } = JSON.parse(agent.stdout) as Answer;
  return { code, valid, entries_checked, files_skipped, first_tampered_line, tip_hash };
}
