/** The agent's chain: whether it holds, and what it says of the dashboard's chain and of the run's manifest. */
import { createHash } from "node:crypto";
import { KIND_WORDS } from "../kinds.ts";
import { ChainReader, Step } from "../reader.ts";
import { schemeOf } from "../scheme.ts";
import { javascriptLines, openFile } from "./lines.ts";

const DASHBOARD_GENESIS = schemeOf("loki-dashboard").genesis;

/** What an `audit_crosslink` entry pins. */
export interface Anchor {
  readonly line: number;
  /** Its root is the hash of the two tips it names. */
  readonly rootHolds: boolean;
  /** The dashboard's chain after so many entries had this tip; undefined where the anchor says that there was no dashboard to ask. */
  readonly pinned: { readonly entries: number; readonly tip: string | undefined } | undefined;
}

/** The last `audit_manifest_link` entry. */
export interface ManifestLink {
  readonly line: number;
  /** What must be the SHA-256 of the manifest's bytes; undefined where it names none that could be. */
  readonly sha256: string | undefined;
}

export interface AgentTrail {
  readonly present: boolean;
  readonly valid: boolean;
  /** That hold, up to the first that does not. */
  readonly entries: number;
  /** Line of the file, from 1. */
  readonly brokenLine: number | undefined;
  readonly problem: string | undefined;
  readonly anchors: readonly Anchor[];
  readonly link: ManifestLink | undefined;
  /** By number of entries, for those asked for that the chain reaches before it breaks. */
  readonly tips: ReadonlyMap<number, string>;
}

/** `lengths`: after how many entries the tip is wanted. */
export async function readAgentTrail(path: string, lengths: ReadonlySet<number>): Promise<AgentTrail> {
  const file = await openFile(path);
  const tips = new Map<number, string>();
  const anchors: Anchor[] = [];
  let link: ManifestLink | undefined;
  let entries = 0;
  let brokenLine: number | undefined;
  let problem: string | undefined;
  if (file !== undefined) {
    await using _ = file;
    const reader = new ChainReader(schemeOf("loki-agent"));
    for await (const { bytes, number } of javascriptLines(file)) {
      if (brokenLine === undefined) {
        const step = reader.next(bytes, 0, bytes.length);
        if (step === Step.follows) {
          entries++;
          if (lengths.has(entries)) tips.set(entries, reader.tip);
        } else {
          brokenLine = number;
          problem = problemOf(step, reader);
        }
      }
      // What stands behind a break is read as well, and lines that are no JSON are passed over.
      const entry = mayAnchor(bytes) ? objectOf(bytes) : undefined;
      if (entry?.what === "audit_crosslink") anchors.push(anchorOf(entry.metadata, number));
      if (entry?.what === "audit_manifest_link") link = linkOf(entry.metadata, number);
    }
  }
  const valid = brokenLine === undefined;
  return { present: file !== undefined, valid, entries, brokenLine, problem, anchors, link, tips };
}

function problemOf(step: number, reader: ChainReader): string {
  if (step === Step.malformed) return KIND_WORDS.malformed;
  if (step === Step.stripped) return KIND_WORDS.stripped;
  return reader.previous === reader.tip
    ? "the entry's hash does not fit its content"
    : "the entry does not follow the one before it";
}

/** Parsing every line twice is what this saves; with an escape in it, a line may say anything. */
function mayAnchor(bytes: Buffer): boolean {
  return bytes.includes("audit_crosslink") || bytes.includes("audit_manifest_link") || bytes.includes("\\u");
}

export function objectOf(bytes: Buffer): Record<string, unknown> | undefined {
  const value = jsonOf(bytes);
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

/** Undefined where it is no JSON. */
export function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8")) as unknown;
  } catch {
    return undefined;
  }
}

function membersOf(metadata: unknown): Record<string, unknown> {
  return typeof metadata === "object" && metadata !== null ? (metadata as Record<string, unknown>) : {};
}

function anchorOf(metadata: unknown, line: number): Anchor {
  const { agentTipBeforeLink, dashboardTipHash, unifiedRoot, dashboardAvailable, dashboardEntries } =
    membersOf(metadata);
  const tip = dashboardTipHash || DASHBOARD_GENESIS;
  const root = rootOf(agentTipBeforeLink || "", tip);
  const entries = typeof dashboardEntries === "number" ? dashboardEntries : 0;
  return {
    line,
    rootHolds: root !== undefined && root === unifiedRoot,
    pinned: dashboardAvailable ? { entries, tip: hashOf(tip) } : undefined,
  };
}

/** Undefined where one of them cannot even be written as text. */
function rootOf(agentTip: unknown, dashboardTip: unknown): string | undefined {
  try {
    return createHash("sha256").update(`loki-unified-audit-v1\n${agentTip}\n${dashboardTip}`).digest("hex");
  } catch {
    return undefined;
  }
}

function linkOf(metadata: unknown, line: number): ManifestLink {
  return { line, sha256: hashOf(membersOf(metadata).manifestSha256) };
}

/** Anything else equals no hash, and may be megabytes. */
export function hashOf(value: unknown): string | undefined {
  return typeof value === "string" && value.length === DASHBOARD_GENESIS.length ? value : undefined;
}
