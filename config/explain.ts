/** zod's findings in our words. Values are never quoted: any of them may be a secret. */

import type { z } from "zod";
import type * as core from "zod/v4/core";
import { within } from "./layers.ts";
import type { Path } from "./problems.ts";
import { didYouMean } from "./suggest.ts";

export interface Finding {
  readonly path: Path;
  readonly message: string;
  /** The option is not there at all: a syntax error further down may be why. */
  readonly missing?: boolean;
  /** It is about the key, whatever its value. */
  readonly key?: boolean;
}

/** `value` is what was parsed with `schema`; `mayQuote` says whether the text at a path may appear in a suggestion. */
export function explain(
  issues: readonly core.$ZodIssue[],
  schema: z.ZodType,
  value: unknown,
  mayQuote: (path: Path) => boolean,
): Finding[] {
  return issues.flatMap((issue) => explainOne(issue, schema, value, mayQuote));
}

function explainOne(
  issue: core.$ZodIssue,
  schema: z.ZodType,
  value: unknown,
  mayQuote: (path: Path) => boolean,
): Finding[] {
  const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
  const found = valueAt(value, path);
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: `unknown option${didYouMean(key, known)}`,
        key: true,
      }));
    }
    case "invalid_type":
      if (found === undefined) return [{ path, message: "is required", missing: true }];
      return [{ path, message: wanted([issue.expected], found) }];
    case "invalid_value": {
      if (found === undefined) return [{ path, message: "is required", missing: true }];
      const allowed = issue.values.map(String);
      const hint = typeof found === "string" && mayQuote(path) ? didYouMean(found, allowed) : "";
      return [{ path, message: `must be ${oneOf(allowed)}${hint}` }];
    }
    case "too_small":
      return [{ path, message: tooSmall(issue.origin, Number(issue.minimum), issue.inclusive ?? true) }];
    case "too_big":
      return [{ path, message: tooBig(issue.origin, Number(issue.maximum), issue.inclusive ?? true) }];
    case "invalid_union":
      return explainUnion(issue, path, found, schema, value, mayQuote);
    case "invalid_format":
      return [{ path, message: ownMessage(issue) ?? `must have the form ${issue.pattern ?? issue.format}` }];
    case "invalid_key":
      return [{ path, message: "this name is not allowed here" }];
    case "not_multiple_of":
      return [{ path, message: `must be a multiple of ${issue.divisor}` }];
    default:
      return [{ path, message: ownMessage(issue) ?? "is not valid" }];
  }
}

/** Of the forms a value may have, the one that was meant is the one whose own type fits. */
function explainUnion(
  issue: core.$ZodIssueInvalidUnion,
  path: Path,
  found: unknown,
  schema: z.ZodType,
  value: unknown,
  mayQuote: (path: Path) => boolean,
): Finding[] {
  if (found === undefined) return [{ path, message: "is required", missing: true }];
  const branches = issue.errors.filter((branch) => branch.length > 0);
  const meant = branches.filter((branch) => !branch.some((i) => i.code === "invalid_type" && i.path.length === 0));
  const branch = meant.sort((a, b) => a.length - b.length)[0];
  if (branch !== undefined) {
    const within = branch.map((i) => ({ ...i, path: [...issue.path, ...i.path] }) as core.$ZodIssue);
    return explain(within, schema, value, mayQuote);
  }
  const expected = branches.flatMap((b) => b.flatMap((i) => (i.code === "invalid_type" ? [i.expected as string] : [])));
  return [{ path, message: expected.length > 0 ? wanted(expected, found) : "is not valid" }];
}

const TYPES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
  tuple: "a list",
  null: "empty",
};

function wanted(expected: readonly string[], found: unknown): string {
  const names = [...new Set(expected.map((name) => TYPES[name]).filter((name) => name !== undefined))];
  const what = names.length > 0 ? names.join(" or ") : "something else";
  if (found === null) return `has no value; it must be ${what}`;
  const quotes = expected.includes("string") && (typeof found === "number" || typeof found === "boolean");
  return `must be ${what}, not ${nameOf(found)}${quotes ? ": put it in quotes" : ""}`;
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "boolean") return "true or false";
  if (typeof value === "number") return Number.isInteger(value) ? "a number" : "a fraction";
  return typeof value === "string" ? "text" : "that";
}

function tooSmall(origin: string, minimum: number, inclusive: boolean): string {
  if (minimum <= 1 && inclusive && origin !== "number" && origin !== "int") return "must not be empty";
  return `must ${measure(origin)} ${inclusive ? "at least" : "more than"} ${minimum}${unit(origin)}`;
}

function tooBig(origin: string, maximum: number, inclusive: boolean): string {
  return `must ${measure(origin)} ${inclusive ? "at most" : "less than"} ${maximum}${unit(origin)}`;
}

function measure(origin: string): string {
  return origin === "number" || origin === "int" ? "be" : "have";
}

function unit(origin: string): string {
  if (origin === "string") return " characters";
  return origin === "array" || origin === "set" ? " items" : "";
}

function oneOf(allowed: readonly string[]): string {
  return allowed.length === 1 ? allowed[0]! : `one of ${allowed.join(", ")}`;
}

// zod's own texts begin like this; what a plugin wrote does not.
function ownMessage(issue: core.$ZodIssue): string | undefined {
  return /^(Invalid|Too (small|big)|Unrecognized)/.test(issue.message) ? undefined : issue.message;
}

export function valueAt(value: unknown, path: Path): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

/** A place in the options, as the file has it: a list of one may be written without being a list. */
export function asWritten(path: Path, given: unknown): Path {
  const written: (string | number)[] = [];
  for (const part of path) {
    if (typeof part === "number" && !Array.isArray(valueAt(given, written))) continue;
    written.push(part);
  }
  return written;
}

/** Names of the options that the schema knows at a path; through unions, of all members. */
function keysAt(schema: z.ZodType, path: Path): string[] {
  let at: core.$ZodTypes[] = unwrap(schema as unknown as core.$ZodTypes);
  for (const part of path) at = at.flatMap((member) => child(member, part));
  return at.flatMap((member) => (member._zod.def.type === "object" ? Object.keys(member._zod.def.shape) : []));
}

function child(schema: core.$ZodTypes, part: string | number): core.$ZodTypes[] {
  const def = schema._zod.def;
  let next: unknown;
  if (def.type === "object") next = def.shape[part];
  else if (def.type === "record") next = def.valueType;
  else if (def.type === "array") next = def.element;
  else if (def.type === "tuple") next = def.items[Number(part)] ?? def.rest;
  return next ? unwrap(next as core.$ZodTypes) : [];
}

/** Without the layers around it. */
export function unwrap(schema: core.$ZodTypes): core.$ZodTypes[] {
  const inner = within(schema);
  if (inner) return unwrap(inner);
  const def = schema._zod.def;
  if (def.type === "union") return (def.options as unknown as readonly core.$ZodTypes[]).flatMap(unwrap);
  return [schema];
}
