/** `audit-agent doctor`: looks at everything around the agent that can go wrong, and says of each what to do. */
import type { LoadedConfig } from "../../../config/load.ts";
import type { Preset } from "../../../outputs/shared/retention.ts";
import { systemClock } from "../../api/clock.ts";
import { type CommandContext, EXIT, load, messageOf } from "../context.ts";
import { printable, styles } from "../style.ts";
import { checkCertificates } from "./certificates.ts";
import { type Check, type Finding, type Level, type Subject, unknown } from "./check.ts";
import { checkClock } from "./clock.ts";
import { checkConfiguration } from "./configuration.ts";
import { checkDataDirectory } from "./data-directory.ts";
import { checkDestinations } from "./destinations.ts";
import { checkInputs } from "./inputs.ts";
import { checkLimits } from "./limits.ts";
import { checkRetention } from "./retention.ts";
import { checkRotation } from "./rotation.ts";
import { checkSecrets } from "./secrets.ts";
import { lookAtServers } from "./servers.ts";
import { checkState } from "./state.ts";

const SYSTEM = { proc: "/proc", etc: "/etc", run: "/run" };

export interface DoctorFlags {
  readonly json: boolean;
  /** Warnings fail too. */
  readonly strict?: boolean;
  readonly frameworks: readonly Preset[];
}

export async function doctor(
  file: string,
  { json, strict = false, frameworks }: DoctorFlags,
  context: CommandContext,
  system: Subject["system"] = SYSTEM,
): Promise<number> {
  // What is only a warning is a finding as well, and said once.
  const quiet = { ...context, err: (text: string) => void (text.startsWith("warning: ") || context.err(text)) };
  const loaded: LoadedConfig | undefined = await load(file, quiet);
  if (loaded === undefined) return EXIT.usage;
  const subject: Subject = { ...loaded, file, context, clock: systemClock, frameworks, system };
  const findings = await Promise.all(
    checks(subject).map(async ({ name, run }) => ({ check: name, findings: await attempt(run, subject) })),
  );
  if (json) context.out(`${JSON.stringify({ checks: findings })}\n`);
  else context.out(report(findings, context));
  await context.drained();
  const failing = countOf(findings, "error") + (strict ? countOf(findings, "warn") : 0);
  return failing > 0 ? EXIT.failed : EXIT.fine;
}

function checks(subject: Subject): readonly Check[] {
  const servers = lookAtServers(subject);
  return [
    { name: "configuration", run: checkConfiguration },
    { name: "secrets", run: checkSecrets },
    { name: "data directory", run: checkDataDirectory },
    { name: "queue and chains", run: checkState },
    { name: "inputs", run: checkInputs },
    { name: "rotation", run: checkRotation },
    { name: "limits", run: checkLimits },
    { name: "destinations", run: checkDestinations },
    { name: "certificates", run: async (of) => checkCertificates(of, await servers) },
    { name: "clock", run: async (of) => checkClock(of, await servers) },
    { name: "retention", run: checkRetention },
  ];
}

/** One check that cannot be made is no reason to leave out the others. */
async function attempt(run: Check["run"], subject: Subject): Promise<readonly Finding[]> {
  try {
    return await run(subject);
  } catch (problem) {
    return [unknown(`this could not be looked at: ${messageOf(problem)}`, "see to that, and run doctor again")];
  }
}

interface Checked {
  readonly check: string;
  readonly findings: readonly Finding[];
}

const countOf = (checked: readonly Checked[], level: Level) =>
  checked.flatMap(({ findings }) => findings).filter((finding) => finding.level === level).length;

function report(checked: readonly Checked[], { terminal }: CommandContext): string {
  const style = styles(terminal.colours);
  const marks: Readonly<Record<Level, string>> = {
    ok: style.green("ok   "),
    unknown: style.cyan("?    "),
    warn: style.yellow("warn "),
    error: style.red("ERROR"),
  };
  const lines = checked.flatMap(({ check, findings }) => [
    style.bold(check),
    ...findings.flatMap(({ level, what, todo }) => [
      `  ${marks[level]} ${printable(what)}`,
      ...(todo === null ? [] : [`        → ${printable(todo)}`]),
    ]),
  ]);
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  const errors = countOf(checked, "error");
  const warnings = countOf(checked, "warn");
  const verdict =
    errors + warnings === 0 ? "All is well." : `${count(errors, "error")}, ${count(warnings, "warning")}.`;
  return `${lines.join("\n")}\n\n${verdict}\n`;
}
