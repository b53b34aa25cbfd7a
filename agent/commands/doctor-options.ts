/** How `audit-agent doctor` is called. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { PRESETS, type Preset } from "../../outputs/shared/retention.ts";
import type { CommandContext } from "./context.ts";

const HELP = `
Run it as the agent's user, who may read less than root:
  sudo -u audit-agent audit-agent doctor --config /etc/audit-agent/pipeline.yaml

Exit codes: 0 no errors (with --strict: no warnings either), 1 there are, 2 wrong usage or configuration.
`;

export function addDoctor(program: Command, context: CommandContext, done: (code: number) => void): void {
  program
    .command("doctor")
    .description("look at everything that could keep the agent from its work, and say what to do")
    .addOption(new Option("-c, --config <file>", "the configuration, YAML"))
    .addOption(
      new Option("--framework <name>", "judge how long destinations keep entries by this one; may be given again")
        .argParser(framework)
        .default([], "those of the outputs' presets"),
    )
    .option("--strict", "warnings fail too")
    .option("--json", "one JSON object")
    .addHelpText("after", `\nFrameworks: ${PRESETS.join(", ")}.\n${HELP}`)
    .action(async (options: { config?: string; framework: Preset[]; strict?: boolean; json?: boolean }) => {
      const file = options.config || program.error("error: which configuration? Say --config FILE");
      const { doctor } = await import("./doctor.ts");
      const { framework: frameworks, strict = false, json = false } = options;
      done(await doctor(file, { frameworks, strict, json }, context));
    });
}

function framework(text: string, before: readonly Preset[]): Preset[] {
  // The council's own name is shorter than the standard's.
  const name = text === "pci" ? "pci_dss" : text;
  const found = PRESETS.find((one) => one === name);
  if (found === undefined) throw new InvalidArgumentError(`there are ${PRESETS.join(", ")}`);
  return [...before, found];
}
