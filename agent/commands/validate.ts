/**
 * `audit-agent validate`: everything `run` does before its first read, except that it opens neither the data directory nor a source.
 * Every part is made, as `run` makes it, and closed again; with `--connect` each output asks its destination.
 */
import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { FieldReader } from "../api/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig, ResolvedOutput } from "../api/config.ts";
import type { PluginContext } from "../api/context.ts";
import { type CommandContext, EXIT, load, messageOf, table } from "./context.ts";
import { summary } from "./summary.ts";

/** How long a destination may take to answer a probe, where the output's own `timeout` is not shorter. */
const PROBE_MS = 10_000;

interface Closable {
  close?(): Promise<void>;
}

export async function validate(file: string, flags: { connect: boolean }, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { config } = loaded;
  const [{ Scanner }, { fieldsOf }] = await Promise.all([
    import("../json/scanner.ts"),
    import("../pipeline/fields.ts"),
  ]);
  const fields: FieldReader = new Scanner(fieldsOf(config));
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

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function makeParts(config: ResolvedConfig, fields: FieldReader, context: CommandContext): Promise<string[]> {
  const problems: string[] = [];
  const attempt = async (what: string, make: () => unknown) => {
    try {
      await (((await make()) as Closable | undefined)?.close?.() ?? undefined);
    } catch (error) {
      problems.push(`${what}: ${messageOf(error)}`);
    }
  };
  for (const { alias, tag, definition, options } of config.inputs) {
    const own = {
      ...contextOf(alias, config, context),
      tag,
      dataDirId: "0".repeat(32),
      positions: new Map(),
      once: true,
    };
    await attempt(`inputs ${alias}`, () => definition.create(options, own));
  }
  for (const { alias, definition, options } of config.filters) {
    const own = { ...contextOf(alias, config, context), fields };
    await attempt(`filters ${alias}`, () => definition.create(options, own));
  }
  for (const { alias, definition, options } of config.outputs) {
    const own = { ...contextOf(alias, config, context), fields };
    await attempt(`outputs ${alias}`, () => definition.create(options, own));
  }
  return problems;
}

async function connect(config: ResolvedConfig, fields: FieldReader, context: CommandContext): Promise<boolean> {
  const results = await Promise.all(
    config.outputs.map(async (output) => {
      const problem = await probe(output, { ...contextOf(output.alias, config, context), fields });
      return { alias: output.alias, problem };
    }),
  );
  context.out(`Connections\n${table(results.map(({ alias, problem }) => [alias, problem ?? "ok"]))}`);
  return results.every(({ problem }) => problem === undefined);
}

async function probe(
  { definition, options, common }: ResolvedOutput,
  own: PluginContext & { readonly fields: FieldReader },
): Promise<string | undefined> {
  const limit = Math.min(common.timeout ?? PROBE_MS, PROBE_MS);
  const stop = new AbortController();
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => {
    stop.abort();
    late.resolve(`failed: no answer within ${limit / 1000} s`);
  }, limit);
  const asked = (async () => {
    const output = await definition.create(options, own);
    try {
      await output.probe(stop.signal);
      return undefined;
    } catch (error) {
      return `failed: ${messageOf(error)}`;
    } finally {
      await output.close();
    }
  })().catch((error: unknown) => `failed: ${messageOf(error)}`);
  return Promise.race([asked, late.promise]).finally(() => clearTimeout(timer));
}

function contextOf(alias: string, config: ResolvedConfig, { version }: CommandContext): PluginContext {
  const node = config.service.node ?? "validate";
  return { alias, node, version, clock: systemClock, emit: () => {} };
}
