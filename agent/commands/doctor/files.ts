/** The files that inputs mean at present. */

import { type FileSettings, fileEngineOptions } from "../../../inputs/shared/file-options.ts";
import { Finder } from "../../../inputs/shared/files/find.ts";
import { nodeSystem } from "../../../inputs/shared/files/system.ts";
import type { ResolvedConfig } from "../../api/config.ts";

export interface FileReader {
  readonly alias: string;
  readonly settings: FileSettings;
}

/** Inputs that follow files. */
export function readers({ inputs }: ResolvedConfig): FileReader[] {
  return inputs.flatMap(({ alias, options }) =>
    "path" in options && "max_open_files" in options ? [{ alias, settings: options as unknown as FileSettings }] : [],
  );
}

export interface FoundFiles {
  readonly files: readonly string[];
  /** Those that were looked through. */
  readonly directories: readonly string[];
  /** Those that are there and cannot be read, with the error's code. */
  readonly failed: ReadonlyMap<string, string>;
}

export async function filesOf(settings: FileSettings): Promise<FoundFiles> {
  const { paths, listed, failed } = await new Finder(fileEngineOptions(settings), nodeSystem).list();
  return { files: paths, directories: [...listed], failed };
}
