/** How the queue, the outputs and the chains are: as the running agent says, and as the data directory does. */
import type { PipelineView } from "../../api/operate.ts";
import { type BreakKind, NO_TAMPERING } from "../../integrity/kinds.ts";
import { AgentClient } from "../client.ts";
import { type ChainOnDisk, hasQueue, type OnDisk, readDataDir } from "../on-disk.ts";
import { error, type Finding, ok, type Subject, warn } from "./check.ts";

/** A break stays in the books for ever; only a fresh one is an alarm. */
const FRESH_MS = 7 * 86_400_000;
const SET_ASIDE = ": set aside";

export async function checkState({ config, file, clock }: Subject): Promise<readonly Finding[]> {
  const { data_dir: dataDir } = config.service;
  const view = await new AgentClient(dataDir).get<PipelineView>("/api/pipeline").catch(() => undefined);
  if (!(await hasQueue(dataDir))) return [ok("no agent has run with this data directory yet")];
  const disk = await readDataDir(dataDir, config);
  const { chains, deadLetters } = disk;
  const findings: Finding[] = [];
  for (const problem of view?.problems ?? []) {
    findings.push(
      warn(problem, `audit-agent status -c ${file} shows the rest; what is read meanwhile waits in the queue`),
    );
  }
  findings.push(...damage(disk, file), ...(view ? ledgersNow(view) : ledgersOnDisk(disk)));
  for (const { alias, orphan, backlog } of disk.outputs) {
    if (orphan && backlog && backlog.records > 0) {
      const what = `${number(backlog.records)} entries wait for ${alias}, which is no output any more`;
      findings.push(warn(what, `configure it again, or give them up: audit-agent queue drop ${alias} -c ${file}`));
    }
  }
  for (const chain of chains) findings.push(...broken(chain, clock.now()));
  if (deadLetters.records > 0) {
    const todo = `audit-agent dead-letters list -c ${file} says why; then replay or discard`;
    findings.push(warn(`${number(deadLetters.records)} dead letters wait to be looked at`, todo));
  }
  if (findings.length > 0) return findings;
  return [ok("the queue is whole"), ...(chains.length > 0 ? [ok(`${chains.length} chains are intact`)] : [])];
}

function damage({ damage: lines, outputs }: OnDisk, file: string): Finding[] {
  const places = outputs.filter(({ backlog }) => backlog === undefined);
  return [
    ...lines.map((line) =>
      line.endsWith(SET_ASIDE)
        ? warn(line, "no part of the queue any more, its loss is counted: look at the disk, then remove it")
        : error(
            line,
            `with the agent stopped: audit-agent queue repair -c ${file}; the rest is delivered all the same`,
          ),
    ),
    ...places.map(({ alias }) =>
      warn(`the place of ${alias} is damaged`, "nothing to do: it begins again at the oldest entry"),
    ),
  ];
}

const LOST = "the agent's log says where and why (event `lost`)";

function ledgersNow({ outputs }: PipelineView): Finding[] {
  return outputs.flatMap(({ alias, ledger, imbalance }) => [
    ...(ledger.lost > 0 ? [warn(`${alias}: ${number(ledger.lost)} entries are lost`, LOST)] : []),
    ...(imbalance === 0
      ? []
      : [error(`the ledger of ${alias} does not balance: ${number(imbalance)}`, "please report it: that is a bug")]),
  ]);
}

function ledgersOnDisk({ outputs }: OnDisk): Finding[] {
  const todo = "compare the destination with the log; a balance that is off is a bug: please report it";
  return outputs.flatMap(({ alias, ledger, imbalance }) => [
    ...(ledger && ledger.lost > 0 ? [warn(`${alias}: ${number(ledger.lost)} entries are lost`, LOST)] : []),
    ...(imbalance > 0 ? [warn(`the ledger of ${alias} does not balance: ${number(imbalance)}`, todo)] : []),
  ]);
}

function broken({ filter, group, breaks, stopped, last }: ChainOnDisk, now: number): Finding[] {
  if (breaks === 0 && stopped === undefined) return [];
  const how = stopped === undefined ? `${breaks} ${breaks === 1 ? "break" : "breaks"}` : `stopped: ${stopped}`;
  const when = last && new Date(last.at).toISOString().slice(0, 16).replace("T", " ");
  const what = `${filter}: the chain of ${group} is broken (${how}${last ? `; the last at ${when}: ${last.words}` : ""})`;
  const harmless = last !== undefined && NO_TAMPERING.has(last.kind as BreakKind);
  const old = last !== undefined && now - last.at > FRESH_MS;
  const todo = harmless
    ? "this happens in healthy installations: see whether its writer was started anew, or its oldest files deleted"
    : `find out who changed it: audit-agent verify ${last?.path ?? group} shows where`;
  return [(stopped === undefined && (harmless || old) ? warn : error)(what, todo)];
}

const number = (n: number) => n.toLocaleString("en-US");
