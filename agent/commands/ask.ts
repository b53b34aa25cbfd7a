/** Asks the running agent for one thing, and says what went wrong where it does not answer. */
import { type AgentClient, NoAgentError, NotPermittedError, RefusedError } from "./client.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";
import { type Place, type PlaceFlags, placeOf } from "./place.ts";
import { printable } from "./style.ts";

export async function askAgent(
  flags: PlaceFlags,
  context: CommandContext,
  use: (agent: AgentClient, place: Place) => Promise<number>,
  /** Where none runs; else that is said. */
  absent?: (place: Place, why: string) => Promise<number>,
): Promise<number> {
  const place = await placeOf(flags, context);
  if (place === undefined) return EXIT.usage;
  const { AgentClient } = await import("./client.ts");
  try {
    return await use(new AgentClient(place.dataDir), place);
  } catch (error) {
    if (error instanceof NoAgentError) {
      if (absent) return absent(place, messageOf(error));
      const hint = flags.config === undefined && flags.dataDir === undefined ? "; which one? Say --config FILE" : "";
      context.err(`${messageOf(error)}${hint}\n`);
      return EXIT.absent;
    }
    context.err(`${printable(messageOf(error))}\n`);
    const mistaken = error instanceof NotPermittedError || (error instanceof RefusedError && error.status < 500);
    return mistaken ? EXIT.usage : EXIT.failed;
  }
}
