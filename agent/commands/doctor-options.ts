/** How `audit-agent doctor` is called. */
import { type Command, Option } from "commander";
import { PRESETS, type Preset } from "../../outputs/shared/retention.ts";
import type { CommandContext } from "./context.ts";

const HELP = `
Run it as the agent's user, who may read less than root.

Exit codes: 0 no errors (with --strict: no warnings either), 1 there are, 2 wrong usage or configuration.
`;

interface Flags {
  readonly config?: string;
  readonly json?: boolean;
  readonly strict?: boolean;
  readonly framework?: readonly Preset[];
}

export function addDoctor(
  program: Command,
  context: CommandContext,
  done: (code: number) => void,
  configOf: (options: { config?: string }) => string,
): void {
  program
    .command("doctor")
    .description("look at all that can go wrong around the agent, and say of each what to do")
    .addOption(new Option("-c, --config <file>", "the configuration, YAML"))
    .addOption(new Option("--framework <names...>", "whose retention the destinations should meet").choices(PRESETS))
    .option("--strict", "warnings fail too")
    .option("--json", "one JSON object")
    .addHelpText("after", HELP)
    .action(async ({ json, strict, framework, ...options }: Flags) => {
      const { doctor } = await import("./doctor/doctor.ts");
      done(
        await doctor(
          configOf(options),
          { json: json === true, strict: strict === true, frameworks: framework ?? [] },
          context,
        ),
      );
    });
}
