/**
 * A project's two chains, checked together: the agent's, the dashboard's, and what the first says of the second (anchors), of the run's
 * manifest (link) and of its own length (witness file). The rules are the reference verifier's; see docs/evidence.md.
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { type AgentTrail, type Anchor, readAgentTrail } from "./unified/agent-trail.ts";
import { type DashboardTrail, readDashboardTrail } from "./unified/dashboard-trail.ts";
import { NotAFileError, openFile, piecesOf } from "./unified/lines.ts";
import { readWitness, type Seen, type Witness } from "./unified/witness.ts";

export interface Unified {
  readonly agentFile: string;
  readonly agent: AgentTrail;
  readonly dashboard: DashboardTrail;
  /** The files fit in the order of their names, not of their modification times. */
  readonly timesLost: boolean;
  readonly anchors: { readonly count: number; readonly line: number | undefined; readonly problem: string | undefined };
  readonly witnessFile: string;
  readonly witness: Witness;
  readonly manifestFile: string;
  /** `line`: of the link in the agent's file; undefined where there is none. */
  readonly manifest: { readonly line: number | undefined; readonly problem: string | undefined };
  /** The agent's chain has fewer entries than a witness saw. */
  readonly truncated: boolean;
  /** The first witness that saw another chain than one that holds now; the reference does not ask for this. */
  readonly sawOther: { readonly agent: Seen | undefined; readonly dashboard: Seen | undefined };
  /** As the reference's `verifyUnified` and `verifyManifestLink` answer. */
  readonly unifiedValid: boolean;
  readonly manifestLinkValid: boolean;
}

/** `dashboardOrders`: the dashboard's files, in each order they may have been written in; the first that holds counts, else the first. */
export async function checkUnified(project: string, dashboardOrders: readonly (readonly string[])[]): Promise<Unified> {
  const agentFile = join(project, ".loki", "audit", "audit.jsonl");
  const witnessFile = join(project, ".loki", "audit", "witness.jsonl");
  const manifestFile = join(project, ".loki", "loki-run.json");
  const witness = await readWitness(witnessFile);
  const agent = await readAgentTrail(agentFile, new Set(witness.agent.map(({ entries }) => entries)));
  const lengths = new Set(witness.dashboard.map(({ entries }) => entries));
  for (const { pinned } of agent.anchors) if (pinned !== undefined) lengths.add(pinned.entries);
  const { dashboard, turn } = await firstThatHolds(dashboardOrders, lengths);
  const anchors = anchorsProblem(agent.anchors, dashboard);
  const manifest = {
    line: agent.link?.line,
    problem: agent.link && (await manifestProblem(manifestFile, agent.link.sha256)),
  };
  const truncated = witness.highWater !== undefined && agent.entries < witness.highWater;
  return {
    agentFile,
    agent,
    dashboard,
    timesLost: turn > 0,
    anchors: { count: agent.anchors.length, line: anchors?.line, problem: anchors?.problem },
    witnessFile,
    witness,
    manifestFile,
    manifest,
    truncated,
    sawOther: {
      agent: agent.valid && !truncated ? otherThan(witness.agent, agent.tips) : undefined,
      dashboard: dashboard.valid ? otherThan(witness.dashboard, dashboard.tips) : undefined,
    },
    unifiedValid: agent.valid && dashboard.valid && anchors === undefined && witness.valid,
    manifestLinkValid: agent.valid && manifest.problem === undefined && !truncated,
  };
}

async function firstThatHolds(
  orders: readonly (readonly string[])[],
  lengths: ReadonlySet<number>,
): Promise<{ dashboard: DashboardTrail; turn: number }> {
  const first = await readDashboardTrail(orders[0] ?? [], lengths);
  if (!first.valid) {
    for (const [turn, files] of orders.entries()) {
      if (turn === 0) continue;
      const dashboard = await readDashboardTrail(files, lengths);
      if (dashboard.valid) return { dashboard, turn };
    }
  }
  return { dashboard: first, turn: 0 };
}

/** The first anchor that does not hold. The dashboard's chain may have grown since, so it is its beginning that is compared. */
function anchorsProblem(
  anchors: readonly Anchor[],
  { tips, entries, unreadable }: DashboardTrail,
): { line: number; problem: string } | undefined {
  for (const { line, rootHolds, pinned } of anchors) {
    if (!rootHolds) return { line, problem: "its root is not the hash of the two tips it names" };
    if (pinned === undefined || unreadable) continue;
    const { entries: length, tip } = pinned;
    // A negative length is an empty beginning to the reference.
    const there = Number.isInteger(length) && length > -1e21 ? tips.get(Math.max(0, length)) : undefined;
    if (there === undefined) {
      return { line, problem: `it pins ${length} entries of the dashboard's chain, of which ${entries} hold now` };
    }
    if (there !== tip) {
      return { line, problem: `the first ${length} entries of the dashboard's chain are not those it pins` };
    }
  }
  return undefined;
}

function otherThan(seen: readonly Seen[], tips: ReadonlyMap<number, string>): Seen | undefined {
  return seen.find(({ entries, tip }) => entries > 0 && tips.get(entries) !== tip);
}

/** Why the manifest is not the one that was linked; undefined where it is. */
async function manifestProblem(path: string, linked: string | undefined): Promise<string | undefined> {
  try {
    const file = await openFile(path);
    if (file === undefined) return "the manifest that was linked is gone";
    await using _ = file;
    const hash = createHash("sha256");
    for await (const piece of piecesOf(file)) hash.update(piece);
    return hash.digest("hex") === linked ? undefined : "the manifest is not the one that was linked";
  } catch (error) {
    if (error instanceof NotAFileError) return "where the manifest that was linked should be is no file";
    throw error;
  }
}
