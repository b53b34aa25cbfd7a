/** How `audit-agent dead-letters` and `audit-agent queue` are called. */
import { type Command, Option } from "commander";
import type { CommandContext } from "./context.ts";
import type { ChosenFlags } from "./dead-letters.ts";
import { nonEmpty } from "./operate-options.ts";

interface WithConfig {
  readonly config?: string;
}

type ConfigOf = (options: WithConfig) => string;

const config = () => new Option("-c, --config <file>", "the configuration, YAML");

export function addLetters(
  program: Command,
  context: CommandContext,
  done: (code: number) => void,
  configOf: ConfigOf,
): void {
  const letters = program.command("dead-letters").description("what destinations refused for good");
  letters
    .command("list")
    .description("one JSON line each: output, time, reason, attempts and the entry")
    .addOption(config())
    .action(async (options: WithConfig) => {
      const { listDeadLetters } = await import("./dead-letters.ts");
      done(await listDeadLetters(configOf(options), context));
    });
  letters
    .command("show")
    .description("one of them, for people")
    .argument("<id>", "as list says it", nonEmpty)
    .option("--output <alias>", "only of this output", nonEmpty)
    .addOption(config())
    .action(async (id: string, { output, ...options }: WithConfig & { output?: string }) => {
      const { showDeadLetter } = await import("./dead-letters.ts");
      done(await showDeadLetter({ id, output }, configOf(options), context));
    });
  for (const [verb, about] of [
    ["replay", "send them again, each to its output alone (through the running agent)"],
    ["discard", "give them up; they count as lost"],
  ] as const) {
    const command = letters
      .command(verb)
      .description(about)
      .argument("[ids...]", "with --output: only these")
      .option("--output <alias>", "those of this output", nonEmpty)
      .option("--all", "all there are")
      .addOption(config());
    if (verb === "discard") command.option("--yes", "do not ask");
    command.action(async (ids: string[], options: WithConfig & Omit<ChosenFlags, "ids"> & { yes?: boolean }) => {
      const { output, all, yes } = options;
      if ((output === undefined) === (all !== true) || (all && ids.length > 0)) {
        program.error("error: which ones? --output ALIAS [ID…], or --all");
      }
      const chosen = { output, all, ids };
      const { discardLetters, replayLetters } = await import("./dead-letters.ts");
      const file = configOf(options);
      if (verb === "replay") done(await replayLetters(chosen, file, context));
      else done(await discardLetters(chosen, { yes: yes === true }, file, context));
    });
  }
}

export function addQueue(
  program: Command,
  context: CommandContext,
  done: (code: number) => void,
  configOf: ConfigOf,
): void {
  const queue = program.command("queue").description("look into the disk queue, repair it, or give up a backlog");
  queue
    .command("inspect")
    .description("what waits for which output, and whether it is whole")
    .addOption(config())
    .option("--json", "one JSON object")
    .action(async (options: WithConfig & { json?: boolean }) => {
      const { inspectQueue } = await import("./inspect.ts");
      done(await inspectQueue(configOf(options), { json: options.json === true }, context));
    });
  queue
    .command("repair")
    .description("with the agent stopped: what a start would cut off or set aside, and what is lost by it")
    .addOption(config())
    .action(async (options: WithConfig) => {
      const { repairQueue } = await import("./queue.ts");
      done(await repairQueue(configOf(options), context));
    });
  queue
    .command("drop")
    .description("give up what waits for an output that is no longer configured")
    .argument("<alias>", "the output's alias", nonEmpty)
    .addOption(config())
    .action(async (alias: string, options: WithConfig) => {
      const { dropBacklog } = await import("./queue.ts");
      done(await dropBacklog(alias, configOf(options), context));
    });
}
