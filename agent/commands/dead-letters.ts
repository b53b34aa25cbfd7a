/** `audit-agent dead-letters list`: what destinations refused for good, as JSON Lines. Works beside a running agent. */
import { isUtf8 } from "node:buffer";
import { access } from "node:fs/promises";
import { join } from "node:path";
import type { DeadLetter } from "../queue/dead-letters.ts";
import { type CommandContext, EXIT, load, messageOf } from "./context.ts";
import { keysOf } from "./keys.ts";

export async function listDeadLetters(file: string, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { service } = loaded.config;
  const dir = join(service.data_dir, "dead-letters");
  const { readDeadLetters } = await import("../queue/dead-letters.ts");
  let count = 0;
  try {
    if (await exists(dir)) {
      for await (const letter of readDeadLetters({ dir, ...keysOf(service) })) {
        context.out(`${JSON.stringify(plain(letter))}\n`);
        await context.drained();
        count++;
      }
    }
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.failed;
  }
  context.err(count === 0 ? "No dead letters.\n" : `${count.toLocaleString("en-US")} dead letters.\n`);
  return EXIT.fine;
}

function plain({ original, time, ...rest }: DeadLetter): Record<string, unknown> {
  const text = isUtf8(original) ? { original: original.toString() } : { original_base64: original.toString("base64") };
  return { time: new Date(time).toISOString(), ...rest, ...text };
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
