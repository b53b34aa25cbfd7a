import type { ResolvedConfig } from "../api/config.ts";

/** Fields any plugin of the pipeline reads: what the scanner looks for. */
export function fieldsOf(config: ResolvedConfig): string[] {
  const fields = new Set<string>();
  for (const { definition, options } of [...config.filters, ...config.outputs]) {
    for (const field of definition.fields?.(options) ?? []) fields.add(field);
  }
  return [...fields];
}
