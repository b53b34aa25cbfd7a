/**
 * `config/schema.json`: what editors complete and check, made from the same schemas as everything else. A value from a variable is text
 * until the agent reads it, so wherever something else is wanted, text with `${` in it passes too.
 */
import { z } from "zod";
import { outputOptions, serviceOptions } from "../agent/api/config.ts";
import type { Registries } from "../agent/api/plugin.ts";
import { baseOf, type Kind } from "./entries.ts";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };
type Definition = Registries[keyof Registries][number];

const REFERENCE = "#/$defs/reference";

export function jsonSchema(registries: Registries): JsonObject {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "audit-agent",
    description: "A configuration of audit-agent.",
    type: "object",
    additionalProperties: false,
    required: ["pipeline"],
    properties: {
      service: schemaOf(serviceOptions),
      pipeline: {
        type: "object",
        description: "What is read, what happens to it, and where it goes.",
        additionalProperties: false,
        required: ["inputs", "outputs"],
        properties: {
          inputs: section("input", registries.inputs, "What is read."),
          filters: section("filter", registries.filters, "What happens to entries, in this order."),
          outputs: section("output", registries.outputs, "Where entries go."),
        },
      },
    },
    $defs: {
      reference: {
        type: "string",
        pattern: "\\$\\{",
        description: "From a variable or a file: ${NAME}, ${file:/path}.",
      },
    },
  };
}

function section(kind: Kind, definitions: readonly Definition[], description: string): JsonObject {
  const names: Json[] = definitions.map((definition) => definition.name);
  return {
    type: "array",
    description,
    ...(kind === "filter" ? {} : { minItems: 1 }),
    items: {
      type: "object",
      required: ["name"],
      properties: { name: { enum: names, description: `Which ${kind} it is.` } },
      // if/then rather than oneOf: the editor then speaks of the one plugin that was named, not of all of them.
      allOf: definitions.map((definition) => ({
        if: { properties: { name: { const: definition.name } }, required: ["name"] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, not a promise.
        then: entry(kind, definition),
      })),
    },
  };
}

function entry(kind: Kind, definition: Definition): JsonObject {
  const common = kind === "output" ? outputOptions.shape : {};
  const schema = schemaOf(z.strictObject({ ...baseOf[kind], ...definition.options.shape, ...common }));
  const properties = schema.properties as JsonObject;
  return {
    ...schema,
    description: definition.summary,
    properties: { name: { const: definition.name, description: definition.summary }, ...properties },
  };
}

function schemaOf(schema: z.ZodType): JsonObject {
  const {
    $schema: _,
    $defs: __,
    ...made
  } = z.toJSONSchema(schema, { io: "input", unrepresentable: "any", reused: "inline" });
  return tidy(made as JsonObject) as JsonObject;
}

/** Our metadata in JSON Schema's words, and room for references. */
function tidy(node: Json): Json {
  if (Array.isArray(node)) return node.map(tidy);
  if (typeof node !== "object" || node === null) return node;
  // A schema that contains itself: any JSON value. Its definition would have to move with the reference.
  if (typeof node.$ref === "string") return {};
  const { doc, example, shown, format, default: given, ...rest } = node;
  const described: JsonObject = {
    ...(doc === undefined ? {} : { description: doc }),
    ...defaultOf(given ?? shown),
    ...(example === undefined ? {} : { examples: [example] }),
  };
  if (format === "secret") return { type: "string", minLength: 1, ...described };
  const inner: JsonObject = {};
  for (const [key, value] of Object.entries(rest)) {
    if (key === "properties") inner[key] = mapValues(value as JsonObject, tidy);
    else if (SUBSCHEMAS.has(key)) inner[key] = tidy(value);
    else if (key === "maximum" && value === Number.MAX_SAFE_INTEGER) continue;
    else if (key === "minimum" && value === Number.MIN_SAFE_INTEGER) continue;
    else inner[key] = value;
  }
  return takesText(inner) ? { ...described, ...inner } : { ...described, anyOf: [inner, { $ref: REFERENCE }] };
}

const SUBSCHEMAS = new Set(["items", "additionalProperties", "anyOf", "oneOf", "allOf", "prefixItems"]);

function takesText(schema: JsonObject): boolean {
  const { type } = schema;
  if (schema.enum !== undefined || schema.const !== undefined || schema.pattern !== undefined) return false;
  const scalar = type === "number" || type === "integer" || type === "boolean";
  return !scalar;
}

function defaultOf(value: Json | undefined): JsonObject {
  const empty = typeof value === "object" && value !== null && Object.keys(value).length === 0;
  return value === undefined || empty ? {} : { default: value };
}

function mapValues(object: JsonObject, change: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
