/** A configuration in a few lines: what is read, what happens to it, where it goes. */
import type { LoadedConfig } from "../../config/load.ts";
import type { Guarantee } from "../api/plugin.ts";
import { bytes, table } from "./context.ts";

const GUARANTEES: Readonly<Record<Guarantee, string>> = {
  "exactly-once": "exactly once in effect, within one data directory",
  "at-least-once": "at least once",
  "best-effort": "best effort: entries may be lost on the way",
};

/** `found`: of inputs by alias, what is at each of their paths. */
export function summary(
  { config, places }: LoadedConfig,
  found: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(),
): string {
  const whereOf = (kind: string, alias: string) =>
    (places.get(`${kind}.${alias}`) ?? []).map(({ option, value }) => {
      const there = kind === "inputs" ? found.get(alias)?.get(value) : undefined;
      return `${option}: ${value}${there === undefined ? "" : ` (${there})`}`;
    });
  const part = (kind: string, alias: string, name: string, rest: string[]): string[][] => {
    const head = name === alias ? alias : `${alias} (${name})`;
    const [first = "", ...more] = [...rest, ...whereOf(kind, alias)];
    return [[head, first], ...more.map((line) => ["", line])];
  };
  const { queue } = config.service;
  const inputs = config.inputs.flatMap(({ alias, tag, definition }) =>
    part("inputs", alias, definition.name, [`tag: ${tag}`]),
  );
  const filters = config.filters.flatMap(({ alias, match, definition }) =>
    part("filters", alias, definition.name, [`match: ${match.join(", ")}`]),
  );
  const outputs = config.outputs.flatMap(({ alias, match, definition, options }) =>
    part("outputs", alias, definition.name, [
      `match: ${match.join(", ")}`,
      `guarantee: ${GUARANTEES[definition.guarantee(options)]}`,
    ]),
  );
  const kept = [
    config.service.data_dir,
    `at most ${bytes(queue.max_bytes)}`,
    ...(queue.compression === "none" ? [] : [queue.compression]),
    queue.encrypt ? "encrypted" : "not encrypted",
  ].join(", ");
  return [
    "Inputs\n",
    table(inputs),
    filters.length > 0 ? `Filters\n${table(filters)}` : "",
    "Outputs\n",
    table(outputs),
    "Queue\n",
    `  ${kept}\n`,
  ].join("");
}
