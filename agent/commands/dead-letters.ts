/**
 * `audit-agent dead-letters`: what destinations refused for good. Listed from disk, also beside a running agent, so that entries are whole
 * however long; changed through the agent where one runs.
 */
import { isUtf8 } from "node:buffer";
import { join } from "node:path";
import { createInterface } from "node:readline/promises";
import { systemClock } from "../api/clock.ts";
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { LettersChosen, LettersDone, LettersView } from "../api/operate.ts";
import { chooser } from "../control/letters.ts";
import type { DeadLetter } from "../queue/dead-letters.ts";
import { askAgent } from "./ask.ts";
import { bytes, type CommandContext, EXIT, exists, load, messageOf, table } from "./context.ts";
import { keysOf } from "./keys.ts";
import { printable } from "./style.ts";

/** A path of hundreds of MB on one line helps nobody. */
const SHOWN = 16 * 1024;

export interface ChosenFlags {
  readonly output?: string | undefined;
  readonly all?: boolean | undefined;
  readonly ids: readonly string[];
}

export async function listDeadLetters(file: string, context: CommandContext): Promise<number> {
  let count = 0;
  const code = await eachLetter(file, context, async (letter) => {
    context.out(`${JSON.stringify(plain(letter))}\n`);
    await context.drained();
    count++;
  });
  if (code !== EXIT.fine) return code;
  context.err(count === 0 ? "No dead letters.\n" : `${count.toLocaleString("en-US")} dead letters.\n`);
  return EXIT.fine;
}

export async function showDeadLetter(
  { id, output }: { readonly id: string; readonly output: string | undefined },
  file: string,
  context: CommandContext,
): Promise<number> {
  let found = false;
  const code = await eachLetter(file, context, async (letter) => {
    if (letter.id !== id || (output !== undefined && letter.output !== output)) return;
    if (found) context.out("\n");
    context.out(described(letter));
    found = true;
  });
  if (code === EXIT.fine && !found) {
    context.err(`no dead letter has the id ${printable(id)}; audit-agent dead-letters list shows them\n`);
    return EXIT.failed;
  }
  return code;
}

async function eachLetter(
  file: string,
  context: CommandContext,
  use: (letter: DeadLetter) => Promise<void>,
): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { service } = loaded.config;
  const dir = join(service.data_dir, "dead-letters");
  const { readDeadLetters } = await import("../queue/dead-letters.ts");
  try {
    if (await exists(dir)) for await (const letter of readDeadLetters({ dir, ...keysOf(service) })) await use(letter);
    return EXIT.fine;
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.failed;
  }
}

function plain({ original, time, ...rest }: DeadLetter): Record<string, unknown> {
  const text = isUtf8(original) ? { original: original.toString() } : { original_base64: original.toString("base64") };
  return { time: new Date(time).toISOString(), ...rest, ...text };
}

function described({ id, output, time, reason, attempts, tag, path, offset, original }: DeadLetter): string {
  const shown = original.subarray(0, SHOWN);
  const text = isUtf8(original) ? shown.toString() : shown.toString("base64");
  const rest = original.length > SHOWN ? `\n… and ${bytes(original.length - SHOWN)} more (list has all of it)` : "";
  const rows = [
    ["id", id],
    ["output", output],
    ["refused", `${new Date(time).toISOString()}, after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`],
    ["reason", reason],
    ["tag", tag],
    ["from", `${path ?? "-"} at ${offset}`],
  ];
  return `${table(rows.map((row) => row.map(printable)))}\n${printable(text)}${rest}\n`;
}

export function replayLetters(chosen: ChosenFlags, file: string, context: CommandContext): Promise<number> {
  return askAgent(
    { config: file },
    context,
    async (agent) => {
      const { records, left } = await agent.post<LettersDone>("/api/dead-letters/replay", bodyOf(chosen));
      context.out(`${lettersOf(records)} put back into the queue, each for its output alone.\n`);
      if (left > 0) context.err(`${lettersOf(left)} left where they are: their output is no longer configured.\n`);
      return EXIT.fine;
    },
    async (_place, why) => {
      context.err(`${why}: start it, and replay then; they go through its queue\n`);
      return EXIT.absent;
    },
  );
}

export function discardLetters(
  chosen: ChosenFlags,
  { yes }: { readonly yes: boolean },
  file: string,
  context: CommandContext,
): Promise<number> {
  return askAgent(
    { config: file },
    context,
    async (agent) => {
      const query = chosen.output === undefined ? "" : `&output=${encodeURIComponent(chosen.output)}`;
      const { total } = await agent.get<LettersView>(`/api/dead-letters?limit=1${query}`);
      const most = chosen.ids.length > 0 ? chosen.ids.length : total;
      if (!yes && !(await confirmed(most, context))) return EXIT.usage;
      const { records } = await agent.post<LettersDone>("/api/dead-letters/discard", bodyOf(chosen));
      context.out(`${lettersOf(records)} discarded.\n`);
      return EXIT.fine;
    },
    async () => {
      const loaded = await load(file, context);
      if (loaded === undefined) return EXIT.usage;
      return discardOnDisk(chosen, yes, loaded.config.service, context);
    },
  );
}

async function discardOnDisk(
  chosen: ChosenFlags,
  yes: boolean,
  service: ServiceOptions,
  context: CommandContext,
): Promise<number> {
  const dir = join(service.data_dir, "dead-letters");
  if (!(await exists(dir))) {
    context.out(`${lettersOf(0)} discarded.\n`);
    return EXIT.fine;
  }
  const isChosen = chooser(bodyOf(chosen))!;
  const [{ openDataDir }, { openDeadLetters, readDeadLetters }, { openOfflineQueue, record }] = await Promise.all([
    import("../state/data-dir.ts"),
    import("../queue/dead-letters.ts"),
    import("./offline.ts"),
  ]);
  const emit: Emit = (event) => {
    if (event.is === "notice" && event.level !== "debug") context.err(`${event.level}: ${event.message}\n`);
    if (event.is === "lost") context.err(`lost: ${lettersOf(event.records)}: ${event.reason}\n`);
  };
  const { max_bytes: maxBytes, max_age: maxAge } = service.dead_letters;
  const keys = keysOf(service);
  try {
    await using opened = new AsyncDisposableStack();
    // So that no agent starts on it meanwhile.
    const dataDir = await openDataDir(service.data_dir, { node: service.node, clock: systemClock, emit });
    opened.defer(() => dataDir.close());
    let count = 0;
    for await (const letter of readDeadLetters({ dir, ...keys })) if (isChosen(letter)) count++;
    if (!yes && !(await confirmed(count, context))) return EXIT.usage;
    const box = await openDeadLetters({ dir, maxBytes, maxAge, ...keys, clock: systemClock, emit });
    opened.defer(() => box.close());
    let discarded = 0;
    await box.take(
      isChosen,
      async () => {},
      ({ length }) => {
        discarded += length;
      },
    );
    const queue = await openOfflineQueue(service, emit);
    opened.defer(() => queue.close());
    const { output, ids, all } = chosen;
    const which = {
      ...(output !== undefined && { output }),
      ...(all && { all }),
      ...(ids.length > 0 && { ids: ids.slice(0, 20) }),
    };
    const message = `discarded ${discarded} dead letters`;
    await record(
      queue,
      dataDir.id,
      { action: "dead_letters.discard", details: { ...which, records: discarded }, message },
      context,
    );
    context.out(`${lettersOf(discarded)} discarded.\n`);
    return EXIT.fine;
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.failed;
  }
}

async function confirmed(most: number, context: CommandContext): Promise<boolean> {
  const input = context.input();
  if (!(input as { isTTY?: boolean }).isTTY) {
    context.err(`${lettersOf(most)} would be gone for good: say --yes\n`);
    return false;
  }
  context.err(`${lettersOf(most)} will be gone for good. Discard them? [y/N] `);
  const lines = createInterface({ input });
  const closed = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
  const answer = await Promise.race([lines.question(""), closed]);
  lines.close();
  if (/^y(es)?$/i.test(answer.trim())) return true;
  context.err("Nothing was discarded.\n");
  return false;
}

function bodyOf({ output, all, ids }: ChosenFlags): LettersChosen {
  if (all) return { all };
  return { ...(output !== undefined && { output }), ...(ids.length > 0 && { ids }) };
}

const lettersOf = (n: number) => `${n.toLocaleString("en-US")} ${n === 1 ? "dead letter" : "dead letters"}`;
