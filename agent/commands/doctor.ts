/** `audit-agent doctor`: looks at everything that could keep the agent from its work, and says of each thing found what to do. */

import type { Preset } from "../../outputs/shared/retention.ts";
import { systemClock } from "../api/clock.ts";
import { AgentClient } from "./client.ts";
import { type CommandContext, EXIT, load, messageOf } from "./context.ts";
import { checkCertificates } from "./doctor/certificates.ts";
import { error, type Finding, type Subject, unknown } from "./doctor/check.ts";
import { checkClock } from "./doctor/clock.ts";
import { checkConfiguration } from "./doctor/configuration.ts";
import { checkDataDirectory } from "./doctor/data-directory.ts";
import { checkDestinations } from "./doctor/destinations.ts";
import { checkInputs } from "./doctor/inputs.ts";
import { checkLimits } from "./doctor/limits.ts";
import { checkRetention } from "./doctor/retention.ts";
import { checkRotation } from "./doctor/rotation.ts";
import { checkSecrets } from "./doctor/secrets.ts";
import { lookAtServers } from "./doctor/servers.ts";
import { checkChains, checkState, type State } from "./doctor/state.ts";
import { hasQueue, readDataDir } from "./on-disk.ts";
import { printable, type Style, styles } from "./style.ts";

export interface DoctorFlags {
  readonly json: boolean;
  /** Warnings fail too. */
  readonly strict: boolean;
  readonly frameworks: readonly Preset[];
}

/** What `--json` prints is a list of these. */
interface Checked {
  readonly check: string;
  readonly findings: readonly Finding[];
}

const SYSTEM = { proc: "/proc", etc: "/etc", run: "/run" };

export async function doctor(
  file: string,
  { json, strict, frameworks }: DoctorFlags,
  context: CommandContext,
  system: Subject["system"] = SYSTEM,
): Promise<number> {
  // Its warnings are findings here.
  const loaded = await load(file, { ...context, err: (text) => text.startsWith("warning: ") || context.err(text) });
  if (loaded === undefined) return EXIT.usage;
  const checked = await examine({ ...loaded, file, context, clock: systemClock, frameworks, system });
  context.out(json ? `${JSON.stringify({ checks: checked }, undefined, 2)}\n` : report(checked, context));
  await context.drained();
  const levels = new Set(checked.flatMap(({ findings }) => findings.map(({ level }) => level)));
  return levels.has("error") || (strict && levels.has("warn")) ? EXIT.failed : EXIT.fine;
}

async function examine(subject: Subject): Promise<Checked[]> {
  const [servers, state] = await Promise.all([lookAtServers(subject), stateOf(subject)]);
  const checks: Readonly<Record<string, () => readonly Finding[] | Promise<readonly Finding[]>>> = {
    configuration: () => checkConfiguration(subject),
    secrets: () => checkSecrets(subject),
    "data directory": () => checkDataDirectory(subject),
    inputs: () => checkInputs(subject),
    rotation: () => checkRotation(subject),
    limits: () => checkLimits(subject),
    clock: () => checkClock(subject, servers),
    destinations: () => checkDestinations(subject),
    certificates: () => checkCertificates(subject, servers),
    retention: () => checkRetention(subject),
    pipeline: () => [...state.findings, ...checkState(subject, state)],
    "hash chains": () => checkChains(subject, state),
  };
  return Promise.all(
    Object.entries(checks).map(async ([check, run]) => {
      try {
        return { check, findings: await run() };
      } catch (problem) {
        // One thing that cannot be looked at hides none of the others.
        return { check, findings: [unknown(`could not be checked: ${messageOf(problem)}`)] };
      }
    }),
  );
}

async function stateOf({ config, clock }: Subject): Promise<State & { readonly findings: readonly Finding[] }> {
  const { data_dir: dir } = config.service;
  const findings: Finding[] = [];
  const view = await new AgentClient(dir).get<NonNullable<State["view"]>>("/api/pipeline").catch(() => undefined);
  const disk = (await hasQueue(dir))
    ? await readDataDir(dir, config, clock.now()).catch((problem: unknown) => {
        findings.push(error(messageOf(problem), "without it nobody can say what waits there"));
        return undefined;
      })
    : undefined;
  return { view, disk, findings };
}

const MARKS = { ok: "✓", unknown: "?", warn: "!", error: "✗" } as const;

function report(checked: readonly Checked[], { terminal }: CommandContext): string {
  const style = styles(terminal.colours);
  const paint = { ok: style.green, unknown: style.dim, warn: style.yellow, error: style.red } as const;
  const lines: string[] = [];
  for (const { check, findings } of checked) {
    if (findings.length === 0) continue;
    lines.push(style.bold(check));
    for (const { level, what, todo } of findings) {
      lines.push(`  ${paint[level](MARKS[level])} ${printable(what)}`);
      if (todo !== null) lines.push(`    ${style.dim(`→ ${printable(todo)}`)}`);
    }
  }
  return `${lines.join("\n")}\n\n${verdict(checked, style)}\n`;
}

function verdict(checked: readonly Checked[], style: Style): string {
  const all = checked.flatMap(({ findings }) => findings);
  const count = (level: Finding["level"]) => all.filter((one) => one.level === level).length;
  const [errors, warnings, unknowns] = [count("error"), count("warn"), count("unknown")];
  const noun = (n: number, word: string) => `${n} ${word}${n === 1 ? "" : "s"}`;
  const open = unknowns > 0 ? `, ${unknowns} not known` : "";
  if (errors > 0) return style.red(`${noun(errors, "error")}, ${noun(warnings, "warning")}${open}`);
  if (warnings > 0) return style.yellow(`no errors, ${noun(warnings, "warning")}${open}`);
  return style.green(`all is well${open}`);
}
