/** How long each destination keeps what it is sent, against what the chosen frameworks want. */
import { PRESETS, type Preset, RETENTION } from "../../../outputs/shared/retention.ts";
import type { ResolvedOutput } from "../../api/config.ts";
import type { Keeping } from "../../api/plugin.ts";
import { messageOf } from "../context.ts";
import { contextOf, fieldsFor } from "../parts.ts";
import { error, type Finding, ok, type Subject, unknown, warn } from "./check.ts";

const ASK_MS = 10_000;

interface Wanted {
  readonly days: number;
  readonly by: string;
  readonly recommended: number | undefined;
}

export async function checkRetention(subject: Subject): Promise<readonly Finding[]> {
  const { config } = subject;
  const frameworks = subject.frameworks.length > 0 ? subject.frameworks : presetsIn(config.outputs);
  const wanted = strictest(frameworks);
  const findings: Finding[] = [];
  for (const output of config.outputs) findings.push(...(await judge(output, wanted, subject)));
  if (wanted === undefined) {
    const names = PRESETS.join(", ");
    findings.push(
      unknown(
        "no framework is chosen, so none of this is judged",
        `--framework with one of ${names}, or \`preset\` where an output has it`,
      ),
    );
  }
  return findings;
}

/** Frameworks that outputs are configured for. */
function presetsIn(outputs: readonly ResolvedOutput[]): Preset[] {
  const found = outputs.flatMap(({ options }) => {
    const lock = options.object_lock as { preset?: Preset } | undefined;
    return [options.preset as Preset | undefined, lock?.preset];
  });
  return [...new Set(found)].filter((preset) => preset !== undefined);
}

function strictest(frameworks: readonly Preset[]): Wanted | undefined {
  let most: Wanted | undefined;
  for (const name of frameworks) {
    const { days, recommended } = RETENTION[name];
    if (days !== undefined && days > (most?.days ?? 0)) most = { days, by: name, recommended };
  }
  return most;
}

async function judge(output: ResolvedOutput, wanted: Wanted | undefined, subject: Subject): Promise<Finding[]> {
  const { alias, definition, options } = output;
  const needs = wanted && `${wanted.by} wants ${wanted.days}`;
  const look = `look there how long it keeps entries${wanted ? `: at least ${wanted.days} days (${wanted.by})` : ""}`;
  // What goes to the terminal is not kept by anybody.
  if (definition.keeps === undefined)
    return [unknown(`${alias}: ${definition.name} does not say how long it keeps entries`, look)];
  let keepings: readonly Keeping[];
  try {
    const context = { ...contextOf(alias, subject.config, subject.context), fields: await fieldsFor(subject.config) };
    keepings = await definition.keeps(options, context, AbortSignal.timeout(ASK_MS));
  } catch (problem) {
    return [unknown(`${alias}: ${messageOf(problem)}`, look)];
  }
  return keepings.flatMap(({ by, days, locked }) => {
    const findings: Finding[] = [];
    if (days === null) findings.push(ok(`${alias}: kept until somebody deletes it (${by})`));
    else if (wanted && days < wanted.days) {
      const todo = `let it keep entries for at least ${wanted.days} days`;
      findings.push(error(`${alias}: kept for ${spelt(days)} by ${by}, and ${needs}`, todo));
    } else if (wanted?.recommended !== undefined && days < wanted.recommended) {
      const todo = "enough for most examinations; auditors may look back further";
      findings.push(
        warn(
          `${alias}: kept for ${spelt(days)} by ${by}; for ${wanted.by} ${wanted.recommended} are recommended`,
          todo,
        ),
      );
    } else findings.push(ok(`${alias}: kept for ${spelt(days)} by ${by}`));
    if (wanted && locked !== undefined && locked < wanted.days) {
      const lock =
        locked === 0 ? "anybody with the right may delete it before" : `it is locked for ${locked} days only`;
      findings.push(warn(`${alias}: ${lock}, and ${needs}`, `object_lock: { mode: compliance, preset: ${wanted.by} }`));
    }
    return findings;
  });
}

function spelt(days: number): string {
  return days === 1 ? "a day" : `${Number(days.toFixed(1))} days`;
}
