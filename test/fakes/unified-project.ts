/** Projects with two chains, made of the corpus, and what `verify --unified` answers of them. */

import { hash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect } from "vitest";
import { verifyUnified } from "../../agent/commands/verify-unified.ts";
import { Written } from "./command.ts";

export const CORPUS = join(import.meta.dirname, "..", "corpora", "unified");

export interface Case {
  readonly case: string;
  readonly note: string;
  readonly verifyUnified: Record<string, unknown>;
  readonly verifyManifestLink: Record<string, unknown>;
}
export const CASES = JSON.parse(readFileSync(join(CORPUS, "cases.json"), "utf8")) as Case[];

export let dir: string;
export let project: string;
export let dashboard: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "unified-test-"));
  project = join(dir, "project");
  dashboard = join(dir, "dashboard");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

export const AGENT = ".loki/audit/audit.jsonl";
export const WITNESS = ".loki/audit/witness.jsonl";
export const MANIFEST = ".loki/loki-run.json";
export const DAY = "audit-2026-11-22.jsonl";

export function start(name: string): void {
  cpSync(join(CORPUS, name), dir, { recursive: true });
}
export const read = (path: string) => readFileSync(join(project, path), "latin1");
export function write(path: string, text: string): void {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text, "latin1");
}
export function writeDay(name: string, text: string | Buffer, written: number): void {
  writeFileSync(join(dashboard, name), text);
  utimesSync(join(dashboard, name), written, written);
}
export const day = () => readFileSync(join(dashboard, DAY), "latin1");
export const linesOf = (text: string) => text.split("\n").slice(0, -1);
export const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");

export async function run(json = true, at = { project, dashboard }) {
  const written = new Written();
  const code = await verifyUnified(at.project, { dashboard: at.dashboard, json }, written.context);
  return { code, out: written.out, err: written.err };
}

export async function answer() {
  const { code, out, err } = await run();
  expect(err).toBe("");
  const parsed = JSON.parse(out) as Record<string, unknown> & {
    verify_unified: Record<string, unknown>;
    verify_manifest_link: Record<string, unknown>;
    reasons: string[];
    warnings: string[];
  };
  expect(code).toBe(parsed.valid ? 0 : 1);
  expect(parsed.reasons.length === 0).toBe(parsed.valid);
  return parsed;
}

/** The intact case's answers, but for what is told. */
export const like = (unified: object = {}, link: object = {}) => ({
  verify_unified: { ...CASES[0]!.verifyUnified, ...unified },
  verify_manifest_link: { ...CASES[0]!.verifyManifestLink, ...link },
});

/** The agent's lines hashed anew, as a forger of the whole chain would. */
export function rechained(
  lines: readonly string[],
  change: (entry: Record<string, unknown>, i: number) => void,
): string[] {
  let previous = "GENESIS";
  return lines.map((line, i) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    change(entry, i);
    const { seq, timestamp, who, what, where, why, metadata } = entry;
    const linked = { seq, timestamp, who, what, where, why, metadata, previousHash: previous };
    previous = hash("sha256", JSON.stringify(linked));
    return JSON.stringify({ ...linked, hash: previous });
  });
}

export function changeAnchors(change: (metadata: Record<string, unknown>) => void): void {
  const lines = rechained(linesOf(read(AGENT)), (entry) => {
    if (entry.what === "audit_crosslink") change(entry.metadata as Record<string, unknown>);
  });
  write(AGENT, textOf(lines));
}

export const rootOf = (agentTip: unknown, tip: unknown) => hash("sha256", `loki-unified-audit-v1\n${agentTip}\n${tip}`);
