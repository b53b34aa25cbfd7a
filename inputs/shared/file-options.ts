/** The options of inputs that follow files, in a configuration's words. `path` is each plugin's own. */
import { z } from "zod";
import { duration, oneOrMore, optionalDuration, path } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import type { FileOptions } from "./files/options.ts";
import { checkFraming, framingOptions, type parserOption, syslogOptions } from "./parse/options.ts";

/** The most bytes of one batch: one block of the queue. A quarter of it costs more CPU, for what is done once per batch. */
const CHUNK_BYTES = 1024 * 1024;
/** How often everything is looked at again where a watcher tells of changes. */
const RESCAN_MS = 10_000;

export const fileOptions = {
  exclude: oneOrMore(
    // Not a path, or it would be made one of the configuration's directory.
    z.union([
      z
        .string()
        .regex(/^[^/~][^/]*$/, "must be a name or a path")
        .meta({ doc: "A name or glob." }),
      path("A path or glob."),
    ]),
    "Files to leave out, though `path` matches them: paths or globs; without a `/` it means the file's name, in any directory.",
  ).default([]),
  read_from: z.enum(["beginning", "end"]).default("beginning").meta({
    doc: "Where files that are there at the first start are read from. Files that appear later are read whole.",
  }),
  ignore_older: optionalDuration(
    "At the first start, leave out files not changed for so long; their bytes are counted.",
  ),
  rotate_wait: duration("How long a file that is no longer the newest must be unchanged to count as finished.", "5s"),
  group_by: z.enum(["pattern", "file", "directory"]).default("pattern").meta({
    doc: "Files of one log, read in the order in which they were written: same name but for dates and counters, each file for itself, or all of a directory.",
  }),
  max_open_files: z
    .int()
    .min(1)
    .default(1024)
    .meta({ doc: "The most files held open at once; further ones wait their turn." }),
  follow_symlinks: z
    .boolean()
    .default(false)
    .meta({ doc: "Follow symbolic links that lead into `allowed_roots`; else they are refused." }),
  allowed_roots: oneOrMore(path("A directory."), "Directories that symbolic links may lead into.").default([]),
  watch: z.enum(["auto", "notify", "poll"]).default("auto").meta({
    doc: "How changes are noticed: `auto` asks the system to tell, and polls on network and overlay file systems, which do not.",
  }),
  poll_interval: duration("Time between looks where changes are polled for.", "1s"),
  ...framingOptions,
  ...syslogOptions,
};

const shape = z.strictObject({ ...fileOptions });
/** `fileOptions` once validated, with what plugins add. */
export type FileSettings = z.output<typeof shape> & {
  readonly path: readonly string[];
  readonly parser?: z.output<typeof parserOption.parser>;
};

export function checkFileOptions(settings: FileSettings): OptionProblem[] {
  const problems = checkFraming(settings);
  if (settings.follow_symlinks && settings.allowed_roots.length === 0) {
    problems.push({
      path: ["allowed_roots"],
      message: "is needed with `follow_symlinks`: name the directories links may lead into",
    });
  }
  if (settings.poll_interval < 10) problems.push({ path: ["poll_interval"], message: "must be at least 10ms" });
  return problems;
}

export function fileEngineOptions(settings: FileSettings): FileOptions {
  return {
    paths: settings.path,
    exclude: settings.exclude,
    parser: settings.parser ?? "json",
    multiline: settings.multiline,
    readFrom: settings.read_from,
    ignoreOlder: settings.ignore_older,
    maxLineBytes: settings.max_line_bytes,
    rotateWait: settings.rotate_wait,
    groupBy: settings.group_by,
    maxOpenFiles: settings.max_open_files,
    followSymlinks: settings.follow_symlinks,
    allowedRoots: settings.allowed_roots,
    watch: settings.watch,
    pollInterval: settings.poll_interval,
    rescanInterval: RESCAN_MS,
    facility: settings.facility,
    severity: settings.severity,
    chunkBytes: CHUNK_BYTES,
  };
}
