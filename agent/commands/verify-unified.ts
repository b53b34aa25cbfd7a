/** `audit-agent verify --unified PROJECT`: a project's agent chain and its dashboard chain, and what binds them together. */
import { stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ChainReport } from "../integrity/offline/report.ts";
import { dashboardOrders } from "../integrity/unified/dashboard-files.ts";
import { checkUnified, type Unified } from "../integrity/unified.ts";
import { type CommandContext, EXIT, messageOf, table } from "./context.ts";

export interface UnifiedFlags {
  /** The dashboard's audit directory; undefined: the one in the home directory. */
  readonly dashboard: string | undefined;
  /** One JSON object instead of lines. */
  readonly json: boolean;
}

export async function verifyUnified(project: string, flags: UnifiedFlags, context: CommandContext): Promise<number> {
  const directory = flags.dashboard ?? join(homedir(), ".loki", "dashboard", "audit");
  try {
    await mustBeProject(project);
    const orders = await dashboardOrders(directory);
    const found = await checkUnified(project, orders ?? []);
    const answer = answerOf(found, directory, orders !== undefined);
    context.out(flags.json ? `${JSON.stringify(answer)}\n` : text(answer, found, directory));
    await context.drained();
    return answer.valid ? EXIT.fine : EXIT.failed;
  } catch (error) {
    // Something that cannot be read: there is no verdict.
    context.err(`${messageOf(error)}\n`);
    if (flags.json) context.out(`${JSON.stringify({ valid: null, error: messageOf(error) })}\n`);
    await context.drained();
    return EXIT.usage;
  }
}

async function mustBeProject(project: string): Promise<void> {
  if (!(await stat(project)).isDirectory()) throw new Error(`${project} is not a directory`);
  await stat(join(project, ".loki")).catch(() => {
    throw new Error(`${project} has no .loki: it is no project with an audit trail`);
  });
}

/** What `--json` prints: names are part of the command's promise, the first two objects have the reference's. */
interface Answer {
  readonly verify_unified: {
    readonly valid: boolean;
    readonly agent_valid: boolean;
    readonly dashboard_valid: boolean;
    readonly anchors: number;
    readonly anchors_valid: boolean;
    readonly witness_valid: boolean;
    readonly witnesses: number;
  };
  readonly verify_manifest_link: {
    readonly valid: boolean;
    readonly present: boolean;
    readonly truncationSuspected: boolean;
  };
  readonly valid: boolean;
  /** Sentences: what is wrong, where, and what it means. Empty where it is valid. */
  readonly reasons: readonly string[];
  /** Sentences: what is not wrong by the rules, and worth a look. */
  readonly warnings: readonly string[];
  readonly agent: {
    readonly file: string;
    readonly entries_checked: number;
    readonly first_tampered_line: number | null;
  };
  /** As `verify` says it of the same files. */
  readonly dashboard: { readonly directory: string } & Pick<
    ChainReport,
    | "files_checked"
    | "files_skipped"
    | "entries_checked"
    | "first_tampered_file"
    | "first_tampered_line"
    | "genesis_file"
  >;
}

function answerOf(found: Unified, directory: string, there: boolean): Answer {
  const { agent, dashboard, anchors, witness, manifest, truncated } = found;
  return {
    verify_unified: {
      valid: found.unifiedValid,
      agent_valid: agent.valid,
      dashboard_valid: dashboard.valid,
      anchors: anchors.count,
      anchors_valid: anchors.problem === undefined,
      witness_valid: witness.valid,
      witnesses: witness.witnesses,
    },
    verify_manifest_link: {
      valid: found.manifestLinkValid,
      present: manifest.line !== undefined,
      truncationSuspected: truncated,
    },
    valid: found.unifiedValid && found.manifestLinkValid,
    reasons: reasonsOf(found),
    warnings: warningsOf(found, directory, there),
    agent: { file: found.agentFile, entries_checked: agent.entries, first_tampered_line: agent.brokenLine ?? null },
    dashboard: {
      directory,
      files_checked: dashboard.filesChecked,
      files_skipped: dashboard.filesSkipped,
      entries_checked: dashboard.entries,
      first_tampered_file: dashboard.brokenFile ?? null,
      first_tampered_line: dashboard.brokenLine ?? null,
      genesis_file: dashboard.genesisFile ?? null,
    },
  };
}

function reasonsOf({
  agent,
  agentFile,
  dashboard,
  anchors,
  witness,
  witnessFile,
  manifest,
  manifestFile,
  truncated,
}: Unified) {
  const reasons: string[] = [];
  if (!agent.valid) reasons.push(`${agentFile}:${agent.brokenLine}: ${agent.problem}`);
  if (!dashboard.valid) reasons.push(`${at(dashboard.brokenFile!, dashboard.brokenLine)}: ${dashboard.problem}`);
  if (anchors.problem !== undefined) {
    const means = "the dashboard's history, or the anchor, was altered";
    reasons.push(`${at(agentFile, anchors.line)}: the anchor does not hold: ${anchors.problem}; ${means}`);
  }
  if (manifest.problem !== undefined) {
    reasons.push(`${manifestFile}: ${manifest.problem} (by line ${manifest.line} of ${agentFile})`);
  }
  if (!witness.valid) reasons.push(`${witnessFile}:${witness.brokenLine}: ${witness.problem}`);
  if (truncated) {
    const cut = agent.valid ? "; its end was cut off, and whatever stood there with it" : "";
    const now = agent.valid ? `has ${agent.entries}` : `holds for ${agent.entries}`;
    reasons.push(`${agentFile}: a witness saw ${witness.highWater} entries, and the chain ${now}${cut}`);
  }
  return reasons;
}

function at(file: string, line: number | undefined): string {
  return line === undefined ? file : `${file}:${line}`;
}

function warningsOf(
  { agent, agentFile, dashboard, anchors, timesLost, manifest, witness, witnessFile, sawOther }: Unified,
  directory: string,
  there: boolean,
): string[] {
  const warnings = [...dashboard.warnings];
  if (!agent.present) warnings.push(`${agentFile} does not exist: there is no agent chain to check`);
  if (!there) warnings.push(`${directory} does not exist: there is no dashboard chain to check`);
  else if (dashboard.valid && dashboard.filesChecked === 0) {
    warnings.push(`${directory} has no file with hashes: there is no dashboard chain to check`);
  }
  for (const chain of ["agent", "dashboard"] as const) {
    const saw = sawOther[chain];
    if (saw === undefined) continue;
    const what = `a witness saw ${saw.entries} entries of the ${chain} chain, the last with the hash ${saw.tip}`;
    warnings.push(`${witnessFile}:${saw.line}: ${what}; the chain there is now is another or shorter`);
  }
  if (dashboard.unreadable && anchors.count > 0) {
    warnings.push("the anchors were not compared with the dashboard's chain: where it breaks it cannot be read");
  }
  if (timesLost) warnings.push("the dashboard's files fit in the order of their names: modification times were lost");
  if (agent.present && manifest.line === undefined) warnings.push("no manifest was linked");
  if (!witness.present)
    warnings.push("there is no witness file: an end that was cut off the agent's chain would not be noticed");
  return warnings;
}

function anchorsWord({ anchors, dashboard }: Unified): string {
  if (anchors.count === 0) return "none";
  if (anchors.problem !== undefined) return "BROKEN";
  return dashboard.unreadable ? "not compared" : "hold";
}

function text({ valid, reasons, warnings }: Answer, found: Unified, directory: string): string {
  const { agent, dashboard, anchors, witness, manifest, truncated } = found;
  const entries = (n: number) => (n === 1 ? "1 entry" : `${n.toLocaleString("en-US")} entries`);
  const files = dashboard.filesChecked === 1 ? "1 file" : `${dashboard.filesChecked} files`;
  const skipped = dashboard.filesSkipped === 0 ? "" : `, ${dashboard.filesSkipped} from before hashes skipped`;
  const parts = table([
    [
      "agent chain",
      agent.valid ? (truncated ? "cut short" : "intact") : "BROKEN",
      `${entries(agent.entries)} verified`,
    ],
    [
      "dashboard chain",
      dashboard.valid ? "intact" : "BROKEN",
      `${entries(dashboard.entries)} verified in ${files}${skipped}`,
    ],
    ["anchors", anchorsWord(found), `${anchors.count} in the agent chain`],
    ["manifest link", manifest.line === undefined ? "none" : manifest.problem === undefined ? "holds" : "BROKEN", ""],
    [
      "witness file",
      !witness.present ? "none" : witness.valid ? "in order" : "BROKEN",
      `${witness.witnesses} lines in order`,
    ],
  ]);
  const odd = found.sawOther.agent ?? found.sawOther.dashboard ?? dashboard.warnings[0];
  const verdict = valid
    ? odd === undefined
      ? "VALID: both chains are intact, and what binds them holds.\n"
      : "VALID by the rules, but something does not fit: see the notes.\n"
    : `NOT VALID:\n${table(reasons.map((reason) => [reason]))}`;
  const notes = warnings.map((warning) => `note: ${warning}\n`).join("");
  return `${found.agentFile}\n${directory}\n${parts}${notes}${verdict}`;
}
