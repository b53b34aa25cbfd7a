/** A configuration file → `ResolvedConfig`, or every problem it has. Reads the file and its secrets; touches nothing else. */
import { dirname, resolve } from "node:path";
import type { ResolvedConfig } from "../agent/api/config.ts";
import type { Registries } from "../agent/api/plugin.ts";
import { parseDocument } from "./document.ts";
import { absolute, MAX_CONFIG_BYTES, readText, readValue } from "./files.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { validate } from "./validate.ts";

export interface LoadOptions {
  /** Variables for `${…}`; by default the process's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** What a file of `${file:…}` holds, by its absolute path; by default it is read. */
  readonly value?: (path: string) => string;
}

/** An option that names a file, a directory or a URL (without its user and password). */
export interface Place {
  readonly option: string;
  readonly value: string;
}

export interface LoadedConfig {
  readonly config: ResolvedConfig;
  readonly warnings: readonly Problem[];
  /** What is read and where it goes, by `inputs.<alias>`, `filters.<alias>`, `outputs.<alias>` and `service`. */
  readonly places: ReadonlyMap<string, readonly Place[]>;
  /** Secrets that stand in the file itself, neither in a file of their own nor in the environment. */
  readonly literals: readonly Problem[];
}

/** Throws a ConfigError that names every problem. `file` is shown as it is given. */
export function loadConfig(file: string, registries: Registries, options: LoadOptions = {}): LoadedConfig {
  let text: string;
  try {
    text = readText(file, MAX_CONFIG_BYTES);
  } catch (error) {
    const message = error instanceof Error ? error.message : "cannot be read";
    throw new ConfigError(file, [{ line: 0, column: 0, path: "", message }]);
  }
  return parseConfig(text, file, registries, options);
}

/** As `loadConfig`, of a text; relative paths in it are relative to the directory of `file`, which need not exist. */
export function parseConfig(
  text: string,
  file: string,
  registries: Registries,
  options: LoadOptions = {},
): LoadedConfig {
  const { env = process.env, value = readValue } = options;
  const absoluteFile = resolve(file);
  const base = dirname(absoluteFile);
  const parsed = parseDocument(text, {
    variable: (name) => (Object.hasOwn(env, name) ? env[name] : undefined),
    file: (path) => value(absolute(path, base)),
  });
  const result = validate(parsed, { file: absoluteFile, base, registries, secret: value });
  if (result.errors.length > 0) throw new ConfigError(file, result.errors);
  return result.loaded!;
}
