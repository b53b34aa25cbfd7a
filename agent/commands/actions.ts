/** `audit-agent reload`, `pause` and `resume`. */
import type { PauseDone, Refusal, ReloadReport } from "../api/operate.ts";
import { askAgent } from "./ask.ts";
import { RefusedError } from "./client.ts";
import { type CommandContext, EXIT } from "./context.ts";
import type { PlaceFlags } from "./place.ts";
import { printable } from "./style.ts";

export function reload(
  flags: PlaceFlags,
  { unprobed }: { unprobed: boolean },
  context: CommandContext,
): Promise<number> {
  return askAgent(flags, context, async (agent) => {
    const answer = await agent.post<ReloadReport | Refusal>("/api/reload", unprobed ? { unprobed } : {}, [409]);
    if ("error" in answer) throw new RefusedError(409, answer.error);
    const { applied, changes, kept, problems } = answer;
    if (applied) {
      const what = changes.map(({ kind, name, change }) =>
        kind === name ? `${kind} ${change}` : `${kind} ${name} ${change}`,
      );
      const all = what.length === 0 ? "nothing changed" : what.join(", ");
      context.out(printable(`Reloaded: ${all}; ${kept} ${kept === 1 ? "part goes" : "parts go"} on undisturbed.`));
      context.out("\n");
    } else context.err("Nothing was applied; the agent goes on as it was.\n");
    for (const problem of problems) context.err(`  ${printable(problem)}\n`);
    return applied ? EXIT.fine : EXIT.failed;
  });
}

export function pause(alias: string, paused: boolean, flags: PlaceFlags, context: CommandContext): Promise<number> {
  return askAgent(flags, context, async (agent) => {
    await agent.post<PauseDone>(`/api/outputs/${encodeURIComponent(alias)}/${paused ? "pause" : "resume"}`);
    context.out(
      paused
        ? `${alias} is paused: what comes waits in the queue until audit-agent resume ${alias}, or the next start.\n`
        : `${alias} goes on.\n`,
    );
    return EXIT.fine;
  });
}
