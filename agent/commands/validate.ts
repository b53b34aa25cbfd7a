/**
 * `audit-agent validate`: everything `run` does before its first read, except that it opens neither the data directory nor a source.
 * Every part is made, as `run` makes it, and closed again; with `--connect` each output asks its destination.
 */
import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { FieldReader } from "../api/batch.ts";
import type { ResolvedConfig } from "../api/config.ts";
import { type CommandContext, EXIT, exists, load, table } from "./context.ts";
import { fieldsFor, makeParts, probe } from "./parts.ts";
import { summary } from "./summary.ts";

export async function validate(file: string, flags: { connect: boolean }, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { config } = loaded;
  const fields = await fieldsFor(config);
  const problems = [...(await dataDirProblems(config)), ...(await makeParts(config, fields, context))];
  if (problems.length > 0) {
    for (const problem of problems) context.err(`${file}  ${problem}\n`);
    context.err(`${problems.length === 1 ? "1 problem" : `${problems.length} problems`}; nothing was started.\n`);
    return EXIT.usage;
  }
  context.out(summary(loaded, await lookAtSources(config)));
  const reached = flags.connect ? await connect(config, fields, context) : true;
  context.out(reached ? `${file} is valid.\n` : `${file} is valid, but not every destination can be reached.\n`);
  return reached ? EXIT.fine : EXIT.failed;
}

/** A path that means nothing is no mistake, its file may come later; but most often it is one. */
async function lookAtSources({ inputs }: ResolvedConfig): Promise<Map<string, ReadonlyMap<string, string>>> {
  const found = new Map<string, ReadonlyMap<string, string>>();
  for (const { alias, definition, options } of inputs) {
    if (definition.look) found.set(alias, await definition.look(options));
  }
  return found;
}

/** The data directory is made by `run`; here it is only asked whether it could be. */
async function dataDirProblems({ service }: ResolvedConfig): Promise<string[]> {
  let existing = service.data_dir;
  while (!(await exists(existing)) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    if (!(await stat(existing)).isDirectory()) return [`service.data_dir: ${existing} is not a directory`];
    await access(existing, constants.W_OK | constants.X_OK);
    return [];
  } catch {
    return [`service.data_dir: this user may not write to ${existing}`];
  }
}

async function connect(config: ResolvedConfig, fields: FieldReader, context: CommandContext): Promise<boolean> {
  const results = await Promise.all(
    config.outputs.map(async (output) => {
      const problem = await probe(output, config, fields, context);
      return { alias: output.alias, problem: problem === undefined ? undefined : `failed: ${problem}` };
    }),
  );
  context.out(`Connections\n${table(results.map(({ alias, problem }) => [alias, problem ?? "ok"]))}`);
  return results.every(({ problem }) => problem === undefined);
}
