/** The parts of a configuration, made to be looked at: by `validate`, and by `doctor`. */
import type { FieldReader } from "../api/batch.ts";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig, ResolvedOutput } from "../api/config.ts";
import type { PluginContext } from "../api/context.ts";
import { type CommandContext, messageOf } from "./context.ts";

interface Closable {
  close?(): Promise<void>;
}

export async function fieldsFor(config: ResolvedConfig): Promise<FieldReader> {
  const [{ Scanner }, { fieldsOf }] = await Promise.all([
    import("../json/scanner.ts"),
    import("../pipeline/fields.ts"),
  ]);
  return new Scanner(fieldsOf(config));
}

/** Makes every part, as `run` makes it, and closes it again. */
export async function makeParts(
  config: ResolvedConfig,
  fields: FieldReader,
  context: CommandContext,
): Promise<string[]> {
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

/** Asks an output's destination, as the output would use it. Why it failed, where it did. */
export async function probe(
  output: ResolvedOutput,
  config: ResolvedConfig,
  fields: FieldReader,
  context: CommandContext,
): Promise<string | undefined> {
  const { probeOutput } = await import("../pipeline/probe.ts");
  return probeOutput(output, { ...contextOf(output.alias, config, context), fields });
}

export function contextOf(alias: string, config: ResolvedConfig, { version }: CommandContext): PluginContext {
  const node = config.service.node ?? "validate";
  return { alias, node, version, clock: systemClock, emit: () => {} };
}
