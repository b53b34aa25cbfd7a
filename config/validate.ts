/** The parsed document against the schemas of the service and of every plugin it names. Collects all problems before it gives up. */
import { z } from "zod";
import { outputOptions, type ResolvedConfig, type ServiceOptions, serviceOptions } from "../agent/api/config.ts";
import type { Registries } from "../agent/api/plugin.ts";
import { checkFlow, checkService, type Report } from "./checks.ts";
import { checkConflicts, type Part } from "./conflicts.ts";
import type { Parsed } from "./document.ts";
import { baseOf, type Kind } from "./entries.ts";
import { asWritten, explain, type Finding } from "./explain.ts";
import type { LoadedConfig, Place } from "./load.ts";
import {
  type AnyDefinition,
  type Entry,
  inOrder,
  listOf,
  pick,
  resolvedFilter,
  resolvedInput,
  resolvedOutput,
  withoutCredentials,
} from "./part.ts";
import { formatPath, type Path, type Problem } from "./problems.ts";
import { isRecord, shape } from "./shape.ts";
import { didYouMean } from "./suggest.ts";

export interface Validated {
  readonly errors: readonly Problem[];
  readonly loaded: LoadedConfig | undefined;
}

const SECTIONS = { input: "inputs", filter: "filters", output: "outputs" } as const;

export interface Surroundings {
  /** Absolute path of the file, and its directory. */
  readonly file: string;
  readonly base: string;
  readonly registries: Registries;
  /** Reads what a secret's file holds now, by its absolute path. */
  readonly secret: (path: string) => string;
}

export function validate(parsed: Parsed, surroundings: Surroundings): Validated {
  return new Validation(parsed, surroundings).run();
}

class Validation {
  readonly #parsed: Parsed;
  readonly #surroundings: Surroundings;
  readonly #errors: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #places = new Map<string, Place[]>();
  readonly #literals: Problem[] = [];
  /** Parts that are off: what comes from the environment is not judged there. */
  readonly #off: Path[] = [];
  /** Every enabled part of a known plugin, right or wrong. */
  readonly #parts: Part[] = [];
  /** For checks of values: those that could not be interpolated say nothing. */
  readonly #report: Report = {
    error: (path, message, absent) => {
      if (!this.#parsed.leaf(path)?.failed) this.#error(path, message, absent);
    },
    warn: (path, message) => void this.#warnings.push(this.#parsed.at(path, message)),
  };

  constructor(parsed: Parsed, surroundings: Surroundings) {
    this.#parsed = parsed;
    this.#surroundings = surroundings;
  }

  run(): Validated {
    const { root } = this.#parsed;
    let config: ResolvedConfig | undefined;
    if (root !== undefined) config = this.#root(root);
    for (const { path, problem, outside } of this.#parsed.problems) {
      if (!(outside && this.#isOff(path))) this.#errors.push(problem);
    }
    const errors = inOrder(this.#errors);
    const warnings = inOrder(this.#warnings);
    const loaded = config && { config, warnings, places: this.#places, literals: inOrder(this.#literals) };
    return { errors, loaded: errors.length === 0 ? loaded : undefined };
  }

  #root(root: Record<string, unknown>): ResolvedConfig | undefined {
    this.#unknown(root, [], ["service", "pipeline"]);
    const service = this.#service(root.service ?? {});
    const pipeline = root.pipeline ?? {};
    if (!isRecord(pipeline)) {
      this.#error(["pipeline"], "must be a map with inputs, filters and outputs");
      return undefined;
    }
    this.#unknown(pipeline, ["pipeline"], ["inputs", "filters", "outputs"]);
    const inputs = this.#section("input", pipeline.inputs);
    const filters = this.#section("filter", pipeline.filters);
    const outputs = this.#section("output", pipeline.outputs);
    checkConflicts(this.#parts, service?.data_dir, this.#report);
    const config = {
      file: this.#surroundings.file,
      service: service!,
      inputs: inputs.map(resolvedInput),
      filters: filters.map(resolvedFilter),
      outputs: outputs.map(resolvedOutput),
    };
    checkFlow(config, {
      warn: (kind, alias, message) => {
        const entry = { input: inputs, filter: filters, output: outputs }[kind].find((e) => e.alias === alias)!;
        this.#warnings.push(this.#parsed.at(entry.path, message));
      },
    });
    return config;
  }

  #service(value: unknown): ServiceOptions | undefined {
    const shaped = shape(serviceOptions, value, ["service"], this.#context("service"));
    checkService(shaped, this.#report);
    const result = serviceOptions.safeParse(shaped);
    if (result.success) return result.data;
    this.#findings(result.error, serviceOptions, shaped, ["service"]);
    return undefined;
  }

  #section(kind: Kind, value: unknown): Entry[] {
    const section = SECTIONS[kind];
    const path: Path = ["pipeline", section];
    const optional = kind === "filter";
    if (value === undefined || value === null || (Array.isArray(value) && value.length === 0)) {
      if (!optional) this.#error(path, `needs at least one ${kind}`, true);
      return [];
    }
    if (!Array.isArray(value)) {
      this.#error(path, `must be a list: one "- name: …" for each ${kind}`);
      return [];
    }
    const aliases = this.#aliases(section, value);
    const entries = value.map((item, index) => this.#entry(kind, item, [...path, index], aliases[index]!));
    const enabled = entries.filter((entry) => entry !== undefined);
    if (!optional && value.every((_, index) => this.#isOff([...path, index]))) {
      this.#error(path, `every ${kind} is disabled`);
    }
    return enabled;
  }

  /**
   * Those that are written, and for the others the name, name-2, name-3. Disabled parts count too: a cursor in the queue belongs to an
   * alias, so turning one output off must not rename another.
   */
  #aliases(section: string, items: readonly unknown[]): string[] {
    const taken = new Map<string, number>();
    const written = items.map((item) => (isRecord(item) && typeof item.alias === "string" ? item.alias : undefined));
    for (const [index, alias] of written.entries()) {
      if (alias === undefined) continue;
      // Case does not tell files apart everywhere.
      const first = taken.get(alias.toLowerCase());
      if (first === undefined) taken.set(alias.toLowerCase(), index);
      else this.#error(["pipeline", section, index, "alias"], `is also the alias of ${section}[${first}]`);
    }
    return items.map((item, index) => {
      const own = written[index];
      if (own !== undefined) return own;
      const name = isRecord(item) && typeof item.name === "string" ? item.name : "part";
      let alias = name;
      for (let n = 2; taken.has(alias.toLowerCase()); n++) alias = `${name}-${n}`;
      taken.set(alias.toLowerCase(), index);
      return alias;
    });
  }

  /** Undefined where it is off, or wrong. */
  #entry(kind: Kind, item: unknown, path: Path, alias: string): Entry | undefined {
    if (!isRecord(item)) {
      this.#error(path, `must be a map with a name and options`);
      return undefined;
    }
    const definition = this.#definition(kind, item, path);
    const enabled = this.#enabled(item, path);
    if (!enabled) this.#off.push(path);
    if (definition === undefined) return undefined;

    const { name: _, ...given } = item;
    // One schema over everything an entry may say, so that unknown options and wrong values of all its parts come out together.
    const commonShape = kind === "output" ? outputOptions.shape : {};
    const whole = z.strictObject({ ...commonShape, ...definition.options.shape, ...baseOf[kind] });
    const context = this.#context(`${SECTIONS[kind]}.${alias}`, enabled ? path : undefined);
    const shaped = shape(whole, given, path, context) as Record<string, unknown>;
    const result = whole.safeParse(shaped);
    if (!result.success) this.#findings(result.error, whole, shaped, path);
    if (!enabled) return undefined;
    if ("assemble" in definition) {
      for (const key of ["batch", "concurrency"].filter((one) => given[one] !== undefined)) {
        this.#report.warn(
          [...path, key],
          "has no effect on this output, which decides itself how much goes into a write",
        );
      }
    }
    const own = definition.options.safeParse(pick(shaped, definition.options.shape));
    const common = kind === "output" ? outputOptions.safeParse(shaped) : undefined;
    const base = result.data as Entry["base"] | undefined;
    const options = own.data as Record<string, unknown> | undefined;
    this.#parts.push({ kind, definition, path, options, tag: base?.tag ?? alias, match: base && listOf(base.match) });
    // Whatever else is wrong with the part: the plugin's own options are right, so they can be checked.
    if (options) this.#check(definition, options, path, given);
    // Rules of the whole schema (refinements), which `extend` leaves behind.
    if (result.success && own.error) this.#findings(own.error, definition.options, shaped, path);
    if (!base || !options || (common && !common.success)) return undefined;
    return { definition, path, alias, base, options, common: common?.data };
  }

  #definition(kind: Kind, item: Record<string, unknown>, path: Path): AnyDefinition | undefined {
    const { name } = item;
    const known: readonly AnyDefinition[] = this.#surroundings.registries[SECTIONS[kind]];
    const names = known.map((d) => d.name);
    if (typeof name !== "string") {
      this.#error(path, `name is required: one of ${names.join(", ")}`, name === undefined);
      return undefined;
    }
    const definition = known.find((d) => d.name === name);
    if (definition) return definition;
    const at: Path = [...path, "name"];
    const leaf = this.#parsed.leaf(at);
    if (leaf?.failed) return undefined;
    const shown = leaf?.outside ? "of this name" : `called ${JSON.stringify(name.slice(0, 64))}`;
    const elsewhere = this.#elsewhere(kind, name);
    const hint = elsewhere ? ` (it is an ${elsewhere})`.replace("an f", "a f") : didYouMean(name, names);
    this.#error(at, `no ${kind} is ${shown}${hint || `; there are ${names.join(", ")}`}`);
    return undefined;
  }

  #elsewhere(kind: Kind, name: string): Kind | undefined {
    const kinds: Kind[] = ["input", "filter", "output"];
    return kinds.find(
      (other) => other !== kind && this.#surroundings.registries[SECTIONS[other]].some((d) => d.name === name),
    );
  }

  #enabled(item: Record<string, unknown>, path: Path): boolean {
    const at: Path = [...path, "enabled"];
    const value = item.enabled;
    if (value === undefined || this.#parsed.leaf(at)?.failed) return true;
    return !(value === false || (this.#parsed.leaf(at)?.outside && (value === "false" || value === "")));
  }

  #check(definition: AnyDefinition, options: Record<string, unknown>, path: Path, given: unknown): void {
    if (!definition.check) return;
    let found: ReturnType<NonNullable<AnyDefinition["check"]>>;
    try {
      found = definition.check(options);
    } catch {
      this.#error(path, `its options could not be checked (a fault of ${definition.name}, not of the configuration)`);
      return;
    }
    // What it misses may stand beyond a syntax error.
    const at = (below: Path) => [...path, ...asWritten(below, given)];
    for (const { path: below, message } of found.errors ?? []) this.#report.error(at(below), message, true);
    for (const { path: below, message } of found.warnings ?? []) this.#report.warn(at(below), message);
  }

  #context(key: string, path: Path = ["service"]) {
    return {
      base: this.#surroundings.base,
      secret: this.#surroundings.secret,
      leaf: (at: Path) => this.#parsed.leaf(at),
      found: (at: Path, value: string) => {
        const places = this.#places.get(key) ?? [];
        places.push({ option: formatPath(at.slice(path.length)), value: withoutCredentials(value) });
        this.#places.set(key, places);
      },
      literal: (at: Path) => void this.#literals.push(this.#parsed.at(at, "stands in the file itself")),
    };
  }

  #findings(error: z.core.$ZodError, schema: z.ZodType, value: unknown, path: Path): void {
    const mayQuote = (below: Path) => !this.#parsed.leaf([...path, ...below])?.outside;
    for (const finding of explain(error.issues, schema, value, mayQuote)) this.#finding(finding, path);
  }

  #finding(finding: Finding, path: Path): void {
    const at = [...path, ...finding.path];
    const leaf = this.#parsed.leaf(at);
    // That it could not be interpolated is said already.
    if (!finding.key && (leaf?.failed || (leaf?.outside && this.#isOff(at)))) return;
    this.#error(at, finding.message, finding.missing);
  }

  #unknown(value: Record<string, unknown>, path: Path, known: readonly string[]): void {
    for (const key of Object.keys(value)) {
      if (known.includes(key)) continue;
      const misplaced = path.length === 0 && Object.values<string>(SECTIONS).includes(key);
      const hint = misplaced ? " here (it belongs under `pipeline:`)" : didYouMean(key, known);
      this.#error([...path, key], `unknown option${hint}`);
    }
  }

  #error(path: Path, message: string, missing = false): void {
    const problem = this.#parsed.at(path, message);
    // After a syntax error nothing further down is known, and what seems missing may only be unread.
    const { brokenFrom } = this.#parsed;
    if (brokenFrom !== undefined && (missing || problem.line >= brokenFrom)) return;
    this.#errors.push(problem);
  }

  #isOff(path: Path): boolean {
    return this.#off.some((off) => off.every((part, index) => path[index] === part) && path[off.length] !== "enabled");
  }
}
