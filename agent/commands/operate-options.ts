/** How the commands that speak with a running agent are called. */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CommandContext } from "./context.ts";
import type { PlaceFlags } from "./place.ts";

const STATUS_HELP = `
Exit codes: 0 ok, 1 degraded or failed, 2 wrong usage or not permitted, 3 no agent runs.
`;

export function addOperate(program: Command, context: CommandContext, done: (code: number) => void): void {
  const command = (name: string, about: string) =>
    program
      .command(name)
      .description(about)
      .addOption(new Option("-c, --config <file>", "the configuration the agent runs with"))
      .option("--data-dir <directory>", "instead: its data directory (default: /var/lib/audit-agent)", nonEmpty);

  command("status", "how the running agent is; where none runs, what its data directory says")
    .option("--json", "one JSON object")
    .addHelpText("after", STATUS_HELP)
    .action(async ({ json, ...place }: PlaceFlags & { json?: boolean }) => {
      const { status } = await import("./status.ts");
      done(await status(place, { json: json === true }, context));
    });

  command("top", "the running agent, live, in the terminal").action(async (place: PlaceFlags) => {
    const { top } = await import("./top.ts");
    done(await top(place, context));
  });

  command("reload", "have the running agent take its configuration anew, without a restart")
    .option("--unprobed", "also where a destination that is new or changed cannot be reached")
    .action(async ({ unprobed, ...place }: PlaceFlags & { unprobed?: boolean }) => {
      const { reload } = await import("./actions.ts");
      done(await reload(place, { unprobed: unprobed === true }, context));
    });

  for (const [verb, about] of [
    ["pause", "have an output wait: what comes stays in the queue"],
    ["resume", "have a paused output go on"],
  ] as const) {
    command(verb, about)
      .argument("<alias>", "the output's alias", nonEmpty)
      .action(async (alias: string, place: PlaceFlags) => {
        const { pause } = await import("./actions.ts");
        done(await pause(alias, verb === "pause", place, context));
      });
  }

  command("open", "the running agent's live page, in the browser")
    .option("--print", "print its address instead, with the token")
    .action(async ({ print, ...place }: PlaceFlags & { print?: boolean }) => {
      const { openPage } = await import("./open.ts");
      done(await openPage(place, { print: print === true }, context));
    });
}

export function nonEmpty(text: string): string {
  if (text === "") throw new InvalidArgumentError("must not be empty");
  return text;
}
