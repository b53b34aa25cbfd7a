/** The options of a schema as rows of a table: name, what it takes, default, what it is. */

import { z } from "zod";
import type * as core from "zod/v4/core";
import type { OptionMeta } from "../api/options.ts";

export interface OptionRow {
  /** With dots where it lies deeper: `retry.max`. */
  readonly name: string;
  readonly takes: string;
  /** As written; empty without one. */
  readonly default: string;
  readonly required: boolean;
  readonly doc: string;
  readonly example: string;
}

interface Facts extends OptionMeta {
  readonly required: boolean;
  readonly given?: unknown;
  readonly core: core.$ZodTypes;
}

export function optionRows(shape: Readonly<Record<string, z.ZodType>>, prefix = ""): OptionRow[] {
  return Object.entries(shape).flatMap(([key, schema]) => {
    const name = prefix + key;
    const facts = factsOf(schema as unknown as core.$ZodTypes);
    const def = facts.core._zod.def;
    const row: OptionRow = {
      name,
      takes: facts.format === undefined ? takes(facts.core) : formatName(facts.format, facts.core),
      default: written(facts.shown ?? facts.given),
      required: facts.required,
      doc: facts.doc ?? "",
      example: written(facts.example),
    };
    if (def.type !== "object") return [row];
    return [row, ...optionRows(def.shape as unknown as Record<string, z.ZodType>, `${name}.`)];
  });
}

/** What the layers around a schema say; the outer ones win. */
function factsOf(schema: core.$ZodTypes): Facts {
  const own = z.globalRegistry.get(schema as unknown as z.ZodType) ?? {};
  const def = schema._zod.def;
  switch (def.type) {
    case "optional":
      return { ...factsOf(def.innerType as core.$ZodTypes), ...own, required: false };
    case "default":
    case "prefault":
      return { ...factsOf(def.innerType as core.$ZodTypes), given: def.defaultValue, ...own, required: false };
    case "nonoptional":
    case "nullable":
    case "catch":
    case "readonly":
      return { ...factsOf(def.innerType as core.$ZodTypes), ...own };
    case "pipe":
      return { ...factsOf(def.in as core.$ZodTypes), ...own };
    case "union": {
      // `never` or a duration with a default: the default is the whole option's.
      const fallback = (def.options as unknown as core.$ZodTypes[]).map(factsOf).find(({ required }) => !required);
      const given = fallback?.shown ?? fallback?.given;
      return { required: fallback === undefined, ...(fallback ? { given } : {}), ...own, core: schema };
    }
    default:
      return { required: true, ...own, core: schema };
  }
}

const FORMATS = {
  duration: "duration",
  size: "size",
  path: "path",
  url: "URL",
  secret: "secret",
  pattern: "pattern",
} as const;

function formatName(format: NonNullable<OptionMeta["format"]>, schema: core.$ZodTypes): string {
  const name = FORMATS[format];
  const def = schema._zod.def;
  const list =
    def.type === "union" && def.options.some((o) => factsOf(o as core.$ZodTypes).core._zod.def.type === "array");
  return list ? `${name}, or a list` : name;
}

function takes(schema: core.$ZodTypes): string {
  const def = schema._zod.def;
  switch (def.type) {
    case "enum":
      return Object.values(def.entries)
        .map((value) => `\`${value}\``)
        .join(", ");
    case "literal":
      return def.values.map((value) => `\`${value}\``).join(", ");
    case "number":
      return "number";
    case "boolean":
      return "true or false";
    case "string":
      return "text";
    case "array":
      return `list of ${inner(def.element as core.$ZodTypes)}`;
    case "record":
      return `map of ${inner(def.valueType as core.$ZodTypes)}`;
    case "object":
      return "map";
    case "union":
      return [...new Set((def.options as unknown as core.$ZodTypes[]).map(inner))].join(" or ");
    default:
      return "any value";
  }
}

function inner(schema: core.$ZodTypes): string {
  const facts = factsOf(schema);
  return facts.format === undefined ? takes(facts.core) : formatName(facts.format, facts.core);
}

function written(value: unknown): string {
  if (value === undefined) return "";
  if (typeof value === "object" && value !== null && Object.keys(value).length === 0) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
