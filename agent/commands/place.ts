/** Which agent is meant: by the configuration it runs with, or by its data directory. */
import { dirname, resolve } from "node:path";
import { type CommandContext, load } from "./context.ts";

/** The default of `service.data_dir`. */
const DEFAULT_DIR = "/var/lib/audit-agent";

export interface Place {
  /** The configuration's file; undefined where only a directory was named. */
  readonly config: string | undefined;
  readonly dataDir: string;
}

export interface PlaceFlags {
  readonly config?: string;
  readonly dataDir?: string;
}

/** undefined where the configuration does not say: what is wrong with it has been printed. */
export async function placeOf({ config, dataDir }: PlaceFlags, context: CommandContext): Promise<Place | undefined> {
  if (dataDir !== undefined) return { config, dataDir: resolve(dataDir) };
  if (config === undefined) return { config, dataDir: DEFAULT_DIR };
  const found = await dataDirIn(config);
  if (found !== undefined) return { config, dataDir: found };
  const loaded = await load(config, context);
  return loaded && { config, dataDir: loaded.config.service.data_dir };
}

async function dataDirIn(file: string): Promise<string | undefined> {
  const service = await serviceIn(file);
  const path = service && (service.data_dir ?? DEFAULT_DIR);
  if (typeof path !== "string" || path === "") return undefined;
  const { absolute } = await import("../../config/files.ts");
  return absolute(path, dirname(resolve(file)));
}

/**
 * `service` as it stands there, unchecked. Only this is looked at, so that an operator needs none of the variables that the agent's secrets
 * come from. undefined where the file cannot be read or is no YAML.
 */
export async function serviceIn(file: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  const [{ parseDocument }, { MAX_CONFIG_BYTES, readText }] = await Promise.all([
    import("../../config/document.ts"),
    import("../../config/files.ts"),
  ]);
  let text: string;
  try {
    text = readText(file, MAX_CONFIG_BYTES);
  } catch {
    return undefined;
  }
  const variable = (name: string) => process.env[name] ?? "";
  const parsed = parseDocument(text, { variable, file: () => "" });
  const service = parsed.root?.service ?? {};
  if (parsed.root === undefined || parsed.brokenFrom !== undefined || typeof service !== "object") return undefined;
  return service as Record<string, unknown>;
}
