/** What the data directory says of the queue, the outputs' places and the chains. */
import { hasQueue, readDataDir } from "../on-disk.ts";
import { error, type Finding, ok, type Subject, warn } from "./check.ts";

export async function checkState({ config, file }: Subject): Promise<readonly Finding[]> {
  const { data_dir: dataDir } = config.service;
  if (!(await hasQueue(dataDir))) return [ok("no agent has run with this data directory yet")];
  const { damage, outputs, chains, deadLetters } = await readDataDir(dataDir, config);
  const findings: Finding[] = damage.map((line) =>
    error(line, `with the agent stopped: audit-agent queue repair -c ${file}; the rest is delivered all the same`),
  );
  for (const { alias, orphan, backlog, imbalance } of outputs) {
    if (orphan && backlog && backlog.records > 0) {
      const what = `${backlog.records} entries wait for ${alias}, which is no output any more`;
      findings.push(warn(what, `configure it again, or give them up: audit-agent queue drop ${alias} -c ${file}`));
    }
    // Beside a running agent places and totals are of different moments.
    if (backlog === undefined) {
      findings.push(warn(`the place of ${alias} is damaged`, "nothing to do: it begins again at the oldest entry"));
    } else if (imbalance > 0) {
      const todo = "stop the agent and look again; where it stays so, compare the destination with the log";
      findings.push(warn(`the ledger of ${alias} does not balance: ${imbalance}`, todo));
    }
  }
  for (const { filter, group, breaks, stopped, last } of chains) {
    if (breaks === 0 && stopped === undefined) continue;
    const how = stopped === undefined ? `${breaks} breaks` : `stopped: ${stopped}`;
    const what = `${filter}: the chain of ${group} is broken (${how}${last ? `; the last: ${last.words}` : ""})`;
    const todo = `find out who changed it: audit-agent verify ${last?.path ?? group} shows where`;
    findings.push(error(what, todo));
  }
  if (deadLetters.records > 0) {
    const todo = `audit-agent dead-letters list -c ${file} says why; then replay or discard`;
    findings.push(warn(`${deadLetters.records} dead letters wait to be looked at`, todo));
  }
  if (findings.length > 0) return findings;
  return [ok("the queue is whole"), ...(chains.length > 0 ? [ok(`${chains.length} chains are intact`)] : [])];
}
