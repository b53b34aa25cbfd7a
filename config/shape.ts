/**
 * A walk through a value beside its zod schema, before validation: makes paths absolute, turns interpolated text into the number or
 * boolean the schema wants, and makes secrets that can be read again.
 */

import { z } from "zod";
import type * as core from "zod/v4/core";
import { type OptionMeta, Secret } from "../agent/api/options.ts";
import { absolute } from "./files.ts";
import { within } from "./layers.ts";
import type { Path } from "./problems.ts";

export interface ShapeContext {
  /** Directory of the configuration file. */
  readonly base: string;
  /** Reads what a secret's file holds now, by its absolute path. */
  secret(path: string): string;
  /** Whether the value at a path came from outside, and from which file as a whole. */
  leaf(path: Path): { readonly outside?: boolean; readonly file?: string } | undefined;
  /** Told of every path and URL there is, for people to see. */
  found?(path: Path, value: string): void;
  /** Told of every secret that stands in the file itself. */
  literal?(path: Path): void;
}

type Schema = core.$ZodTypes;

/** The value as the schema should see it. Wrong values stay as they are: validation says what is wrong with them. */
export function shape(schema: z.ZodType, value: unknown, path: Path, context: ShapeContext): unknown {
  return visit(schema as unknown as Schema, value, path, context, undefined);
}

function visit(
  schema: Schema,
  value: unknown,
  path: Path,
  context: ShapeContext,
  outer: OptionMeta["format"],
): unknown {
  const format = formatOf(schema) ?? outer;
  if (value === undefined) return absent(schema, path, context, format);
  if (format === "secret" && typeof value === "string") return secretOf(value, path, context);
  const inner = within(schema);
  if (inner) return visit(inner, value, path, context, format);
  const def = schema._zod.def;
  switch (def.type) {
    case "object":
      return isRecord(value) ? object(def, value, path, context) : value;
    case "record":
      return isRecord(value) ? record(def, value, path, context) : value;
    case "array":
      return Array.isArray(value)
        ? value.map((item, index) => visit(def.element as Schema, item, [...path, index], context, format))
        : value;
    case "tuple":
      return Array.isArray(value)
        ? value.map((item, index) => {
            const part = (def.items[index] ?? def.rest) as Schema | null;
            return part ? visit(part, item, [...path, index], context, undefined) : item;
          })
        : value;
    case "union":
      return union(def.options as unknown as readonly Schema[], value, path, context, format);
    default:
      return typeof value === "string" ? scalar(schema, value, path, context, format) : value;
  }
}

/** A default that is a path must become absolute too, so it is put in place here where it holds one. */
function absent(schema: Schema, path: Path, context: ShapeContext, format: OptionMeta["format"]): unknown {
  const def = schema._zod.def;
  if (def.type === "default" || def.type === "prefault") {
    const inner = def.innerType as Schema;
    const value: unknown = def.defaultValue;
    // `default` is a value of the output side: where the schema transforms, it may not pass the input side again.
    const usable = def.type === "prefault" || z.safeParse(inner as unknown as z.ZodType, value).success;
    const shaped = usable ? visit(inner, value, path, context, format) : value;
    return JSON.stringify(shaped) === JSON.stringify(value) ? undefined : shaped;
  }
  if (def.type === "nonoptional" || def.type === "readonly")
    return absent(def.innerType as Schema, path, context, format);
  return undefined;
}

function object(
  def: core.$ZodObjectDef,
  value: Record<string, unknown>,
  path: Path,
  context: ShapeContext,
): Record<string, unknown> {
  const result = { ...value };
  for (const [key, part] of Object.entries(def.shape)) {
    const shaped = visit(part as Schema, value[key], [...path, key], context, undefined);
    if (shaped !== undefined) result[key] = shaped;
  }
  return result;
}

function record(
  def: core.$ZodRecordDef,
  value: Record<string, unknown>,
  path: Path,
  context: ShapeContext,
): Record<string, unknown> {
  const entries = Object.entries(value).map(([key, part]) => [
    key,
    visit(def.valueType as Schema, part, [...path, key], context, undefined),
  ]);
  return Object.fromEntries(entries) as Record<string, unknown>;
}

/** The member that fits as it is; else the one that fits after its own walk; else none. */
function union(
  members: readonly Schema[],
  value: unknown,
  path: Path,
  context: ShapeContext,
  format: OptionMeta["format"],
): unknown {
  const quiet: ShapeContext = { ...context, found: () => {} };
  for (const member of members) {
    if (z.safeParse(member as unknown as z.ZodType, value).success) return visit(member, value, path, context, format);
  }
  for (const member of members) {
    const shaped = visit(member, value, path, quiet, format);
    if (z.safeParse(member as unknown as z.ZodType, shaped).success) return visit(member, value, path, context, format);
  }
  return value;
}

function scalar(
  schema: Schema,
  value: string,
  path: Path,
  context: ShapeContext,
  format: OptionMeta["format"],
): unknown {
  if (format === "path") {
    if (value === "") return value;
    const resolved = absolute(value, context.base);
    context.found?.(path, resolved);
    return resolved;
  }
  if (format === "url") context.found?.(path, value);
  return context.leaf(path)?.outside ? fromText(schema, value) : value;
}

/** `${PORT:-514}` is text; the option wants a number. */
export function fromText(schema: core.$ZodType, text: string): unknown {
  const { type } = schema._zod.def;
  if (type === "number") return isNumber(text) ? Number(text) : text;
  if (type === "boolean") return text === "true" ? true : text === "false" || text === "" ? false : text;
  if (type !== "literal" && type !== "enum") return text;
  const fits = (value: unknown) => z.safeParse(schema as unknown as z.ZodType, value).success;
  if (fits(text)) return text;
  if (isNumber(text) && fits(Number(text))) return Number(text);
  if ((text === "true" || text === "false") && fits(text === "true")) return text === "true";
  return text;
}

function isNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(text) && text.length < 20;
}

function secretOf(value: string, path: Path, context: ShapeContext): unknown {
  const leaf = context.leaf(path);
  if (leaf?.outside !== true && leaf?.file === undefined && value !== "") context.literal?.(path);
  const file = leaf?.file;
  // Left to the schema where it is empty, so that it can say so.
  if (file === undefined || value === "") return value;
  const from = absolute(file, context.base);
  return new Secret(() => context.secret(from));
}

export function formatOf(schema: core.$ZodType): OptionMeta["format"] {
  return z.globalRegistry.get(schema as unknown as z.ZodType)?.format;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Secret);
}
