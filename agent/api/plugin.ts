import type { z } from "zod";
import type { FilterContext, InputContext, OutputContext } from "./context.ts";
import type { Filter } from "./filter.ts";
import type { Input } from "./input.ts";
import type { Assemble, ObjectOutput, Output } from "./output.ts";

/** Printed in the docs and by `validate`; believed only after its contract test. */
export type Guarantee = "exactly-once" | "at-least-once" | "best-effort";

interface Definition<O extends z.ZodObject> {
  /** As written in `name:`; the folder has the same name with `-` for `_`. */
  readonly name: string;
  /** One sentence for the docs. */
  readonly summary: string;
  /** A `z.strictObject`; each option has `.meta({ doc, example? })` or comes from a builder in `options.ts`. */
  readonly options: O;
  /** Options of a working configuration; validated, and shown in the docs. */
  readonly example: z.input<O>;
  /** Further paragraphs for the docs, in Markdown. */
  readonly notes?: string;
  /** What zod cannot say: throws nothing, returns sentences. Runs in `validate` and before `run`; touches no network, writes nothing. */
  check?(options: z.output<O>): { errors?: OptionProblem[]; warnings?: OptionProblem[] };
}

export interface OptionProblem {
  /** Path below the plugin's options, e.g. `["tls", "ca"]`. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

export interface InputDefinition<O extends z.ZodObject = z.ZodObject> extends Definition<O> {
  readonly kind: "input";
  /** For `validate`: each path, as configured, with a few words on what is there now. Opens nothing. */
  look?(options: z.output<O>): Promise<ReadonlyMap<string, string>>;
  create(options: z.output<O>, context: InputContext): Input | Promise<Input>;
}

export interface FilterDefinition<O extends z.ZodObject = z.ZodObject> extends Definition<O> {
  readonly kind: "filter";
  /** It can drop records: a warning where one stands before `chain`. */
  readonly drops: boolean;
  /** Tags of the records it makes itself. */
  readonly creates?: readonly string[];
  /** Top-level fields it reads, and top-level keys of the additions it makes. */
  fields?(options: z.output<O>): readonly string[];
  create(options: z.output<O>, context: FilterContext): Filter | Promise<Filter>;
}

export interface CommonDefaults {
  readonly linger?: string;
  readonly concurrency?: number;
  readonly timeout?: string;
}

/** What is known of how long a destination keeps what it is sent; for `doctor`. */
export interface Keeping {
  /** What decides it: `the lifecycle policy audit-logs`. */
  readonly by: string;
  /** After so many days it goes; null where nothing deletes it by itself. */
  readonly days: number | null;
  /** For so many days nobody can delete it, 0 where anybody may. Absent where the destination knows no such lock. */
  readonly locked?: number;
}

export interface OutputDefinition<O extends z.ZodObject = z.ZodObject> extends Definition<O> {
  readonly kind: "output";
  /** The most one write may hold: records, and bytes as encoded, with `overhead` bytes counted on top of each record's own. */
  readonly limits: { readonly records: number; readonly bytes: number; readonly overhead: number };
  guarantee(options: z.output<O>): Guarantee;
  fields?(options: z.output<O>): readonly string[];
  /** Defaults of the options every output has (`batch`, `concurrency`, …), where this one differs; perhaps by its own options. */
  readonly defaults?: CommonDefaults | ((options: z.output<O>) => CommonDefaults);
  /** For `doctor`: servers to which it speaks TLS and that no option names as a URL. */
  tlsServers?(options: z.output<O>): readonly { readonly host: string; readonly port: number }[];
  /** For `doctor`: asks the destination, where it may be asked. Throws where nobody can tell, with the reason. */
  keeps?(options: z.output<O>, context: OutputContext, signal: AbortSignal): Promise<readonly Keeping[]>;
  create(options: z.output<O>, context: OutputContext): Output | Promise<Output>;
}

export interface ObjectOutputDefinition<O extends z.ZodObject = z.ZodObject>
  extends Omit<OutputDefinition<O>, "create"> {
  assemble(options: z.output<O>): Assemble;
  create(options: z.output<O>, context: OutputContext): ObjectOutput | Promise<ObjectOutput>;
}

export type AnyOutputDefinition = OutputDefinition | ObjectOutputDefinition;

/** It writes whole objects. */
export function isObjects(definition: AnyOutputDefinition): definition is ObjectOutputDefinition {
  return "assemble" in definition;
}

export function defaultsOf({ defaults }: AnyOutputDefinition, options: Record<string, unknown>): CommonDefaults {
  return (typeof defaults === "function" ? defaults(options) : defaults) ?? {};
}

export interface Registries {
  readonly inputs: readonly InputDefinition[];
  readonly filters: readonly FilterDefinition[];
  readonly outputs: readonly AnyOutputDefinition[];
}

// The helpers infer the option types from the schema; the registry holds the general form. Options were validated by that very schema,
// so the one cast, here, is what makes each plugin fully typed inside.
export function defineInput<O extends z.ZodObject>(definition: Omit<InputDefinition<O>, "kind">): InputDefinition {
  return { kind: "input", ...definition } as unknown as InputDefinition;
}

export function defineFilter<O extends z.ZodObject>(definition: Omit<FilterDefinition<O>, "kind">): FilterDefinition {
  return { kind: "filter", ...definition } as unknown as FilterDefinition;
}

export function defineOutput<O extends z.ZodObject>(definition: Omit<OutputDefinition<O>, "kind">): OutputDefinition {
  return { kind: "output", ...definition } as unknown as OutputDefinition;
}

export function defineObjectOutput<O extends z.ZodObject>(
  definition: Omit<ObjectOutputDefinition<O>, "kind">,
): ObjectOutputDefinition {
  return { kind: "output", ...definition } as unknown as ObjectOutputDefinition;
}
