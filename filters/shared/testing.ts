/** Runs a filter as the pipeline would; for tests. */
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { FilterContext } from "../../agent/api/context.ts";
import type { Filter } from "../../agent/api/filter.ts";
import type { FilterDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, linesOf } from "../../test/fakes/batch.ts";

/** The filter with options as a user writes them. It sees only the fields that its definition names. */
export async function filterOf(definition: FilterDefinition, settings: object): Promise<Filter> {
  const options = definition.options.parse(settings);
  const context: FilterContext = {
    alias: definition.name,
    node: "host-1",
    version: "1.2.3",
    clock: { now: () => 0, monotonic: () => 0 },
    emit: () => {},
    fields: new Scanner(definition.fields?.(options) ?? []),
  };
  return definition.create(options, context);
}

export async function filtered(
  definition: FilterDefinition,
  settings: object,
  lines: readonly string[],
): Promise<{ input: RecordBatch; output: RecordBatch; lines: string[] }> {
  const filter = await filterOf(definition, settings);
  const input = batchOf(lines);
  const output = filter.process(input, () => {});
  return { input, output, lines: linesOf([output]) };
}
