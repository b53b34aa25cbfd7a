/** `audit-agent checksums [verify|update] DIR`: a manifest of a directory's logs that `sha256sum -c` reads as well. */
import { stat } from "node:fs/promises";
import { check, type Finding } from "../checksums/check.ts";
import { MANIFEST, ManifestError } from "../checksums/manifest.ts";
import { shown } from "../checksums/names.ts";
import { type Manifest, readManifest, writeManifest } from "../checksums/store.ts";
import { count, filesOf, type Result, report, totalSize, troubles, verdictOf } from "./checksums-report.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";
import { alertAll, webhookProblem } from "./webhook.ts";

export interface ChecksumFlags {
  /** One JSON object instead of lines. */
  readonly json: boolean;
  /** Where alerts go: a secret. */
  readonly webhook: string | undefined;
  /** `update`: also over what was altered, is missing, or cannot be understood. */
  readonly force: boolean;
  /** `update`: files that are gone are let go, as a rotation's oldest are. */
  readonly allowMissing: boolean;
}

const VERBS = ["verify", "update"] as const;
export type Verb = (typeof VERBS)[number];

/** `DIR`, `verify DIR` or `update DIR`; undefined for anything else. */
export function checksumWords(
  first: string | undefined,
  second: string | undefined,
): { verb: Verb; directory: string } | undefined {
  const verb = VERBS.find((known) => known === first);
  if (verb === undefined && second !== undefined) return undefined;
  const directory = verb === undefined ? first : second;
  return directory ? { verb: verb ?? "verify", directory } : undefined;
}

export async function checksums(
  verb: Verb,
  directory: string,
  flags: ChecksumFlags,
  context: CommandContext,
): Promise<number> {
  const problem = flags.webhook === undefined ? undefined : webhookProblem(flags.webhook);
  if (problem !== undefined) context.err(`warning: ${problem}: nobody would be alerted\n`);
  const webhook = problem === undefined ? flags.webhook : undefined;
  let result: Result;
  try {
    result = verb === "verify" ? await verify(directory) : await update(directory, flags);
  } catch (error) {
    // Something that cannot be read or written: there is no verdict.
    context.err(`${messageOf(error)}\n`);
    if (flags.json) context.out(`${JSON.stringify({ directory, verb, valid: null, error: messageOf(error) })}\n`);
    await context.drained();
    return EXIT.usage;
  }
  report(verb, directory, result, flags.json, context);
  await context.drained();
  if (webhook !== undefined) await alert(webhook, result, flags, context);
  return result.code;
}

async function verify(directory: string): Promise<Result> {
  await mustBeDirectory(directory);
  const manifest = await readManifest(directory);
  if (manifest === undefined) {
    throw new Error(`${directory} has no ${MANIFEST}; this makes one: audit-agent checksums update ${directory}`);
  }
  if (manifest.lines.length === 0) throw new Error(`${directory}/${MANIFEST} has no checksums: nothing to check by`);
  const { findings } = await check(directory, manifest, { hashNew: false });
  const bad = count(findings, "tampered", "missing") > 0;
  const unsure = count(findings, "unreadable", "outside") > 0;
  const code = bad ? EXIT.failed : unsure ? EXIT.usage : EXIT.fine;
  return { findings, code, verdict: verdictOf(findings), updated: false };
}

async function update(directory: string, flags: ChecksumFlags): Promise<Result> {
  await mustBeDirectory(directory);
  let old: Manifest | undefined;
  try {
    old = await readManifest(directory);
  } catch (error) {
    if (!flags.force || !(error instanceof ManifestError)) throw error;
  }
  const checked = await check(directory, old, { hashNew: true });
  const refused = refusal(checked.findings, flags);
  if (refused !== undefined) return { findings: checked.findings, ...refused, updated: false };
  const { now } = checked;
  if (now.length === 0) throw new Error(`${directory} has no *.log and no *.jsonl: nothing to record`);
  await writeManifest(directory, now, old);
  // Without a manifest before, all are new: that needs no line for each.
  const findings = checked.findings.filter(({ state }) => old !== undefined || state !== "new");
  const accepted = troubles(findings);
  const verdict = `checksums of ${filesOf(now.length)} recorded (${totalSize(now)})${accepted && `; accepted: ${accepted}`}`;
  return { findings, code: EXIT.fine, verdict, updated: true };
}

/** The old manifest is the only witness of what was altered: it is not given up unless somebody says so. */
function refusal(
  findings: readonly Finding[],
  { force, allowMissing }: ChecksumFlags,
): { code: number; verdict: string } | undefined {
  const refuse = (code: number, hint: string) => ({ code, verdict: `nothing recorded: ${verdictOf(findings)}${hint}` });
  // Not even by force: it would leave the manifest unnoticed.
  if (count(findings, "unreadable") > 0) return refuse(EXIT.usage, "");
  if (force) return undefined;
  if (count(findings, "tampered") > 0) return refuse(EXIT.failed, " (--force records what is there now)");
  if (count(findings, "outside") > 0) return refuse(EXIT.usage, " (--force leaves those out)");
  if (count(findings, "missing") === 0 || allowMissing) return undefined;
  return refuse(EXIT.failed, " (--allow-missing lets go of files that are gone)");
}

async function mustBeDirectory(directory: string): Promise<void> {
  if (!(await stat(directory)).isDirectory()) throw new Error(`${directory} is not a directory`);
}

async function alert(webhook: string, result: Result, flags: ChecksumFlags, context: CommandContext): Promise<void> {
  const expected = result.updated && flags.allowMissing;
  const names = result.findings
    .filter(({ state }) => state === "tampered" || (state === "missing" && !expected))
    .map(({ name }) => shown(name));
  if (names.length === 0) return;
  const { failed, reason } = await alertAll(webhook, names);
  if (failed > 0) context.err(`${failed} of ${names.length} alerts could not be sent: ${reason}\n`);
}
