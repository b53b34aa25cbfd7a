/** What enabled parts would do to each other, or to a secret: found before anything is read. */
import { basename, join } from "node:path";
import picomatch from "picomatch";
import { tagMatcher } from "../agent/api/config.ts";
import { Secret } from "../agent/api/options.ts";
import { isLoopback, type Report } from "./checks.ts";
import type { Kind } from "./entries.ts";
import type { AnyDefinition } from "./part.ts";
import { formatPath, type Path } from "./problems.ts";

/** An enabled part whose plugin is known, though other things about it may be wrong. */
export interface Part {
  readonly kind: Kind;
  readonly definition: AnyDefinition;
  readonly path: Path;
  /** Undefined where the plugin's own options are wrong. */
  readonly options: Record<string, unknown> | undefined;
  /** Of an input, where it is known. */
  readonly tag: string | undefined;
  /** Of a filter or an output, where it is known. */
  readonly match: readonly string[] | undefined;
}

interface WithOptions extends Part {
  readonly options: Record<string, unknown>;
}

/** `dataDir`: undefined where it is not known. */
export function checkConflicts(parts: readonly Part[], dataDir: string | undefined, report: Report): void {
  const inputs = parts.filter(({ kind }) => kind === "input");
  const [reads, ...others] = inputs.filter(({ definition }) => definition.name === "stdin");
  for (const { path } of others) {
    report.error(path, `standard input can be read once, and ${formatPath(reads!.path)} reads it already`);
  }
  const right = parts.filter((part): part is WithOptions => part.options !== undefined);
  const readers = right.filter(({ kind }) => kind === "input");
  const outputs = right.filter(({ kind }) => kind === "output");
  const files = outputs.filter(({ definition }) => definition.name === "file");
  checkSameFile(files, readers, report);
  for (const reader of readers) {
    checkExclude(reader, report);
    if (dataDir !== undefined) checkDataDir(reader, dataDir, report);
    for (const file of files) checkLoop(reader, file, report);
  }
  for (const output of outputs) checkSecrets(output, report);
}

/** Two writers at one file's end would each take the other's lines for damage. */
function checkSameFile(files: readonly WithOptions[], readers: readonly Part[], { error }: Report): void {
  const tags = readers.flatMap(({ tag }) => tag ?? []);
  for (const [index, file] of files.entries()) {
    const { path } = file.options;
    const first = files.slice(0, index).find((other) => other.options.path === path && mayMeet(file, other, tags));
    if (first) error([...file.path, "path"], `is also the path of ${formatPath(first.path)}: both would append to it`);
  }
}

/** With the tag in the name, two outputs write to one file only where they take the same tag. */
function mayMeet(one: WithOptions, other: WithOptions, tags: readonly string[]): boolean {
  if (!String(one.options.path).includes("$TAG")) return true;
  if (!one.match || !other.match) return false;
  const takes = [tagMatcher(one.match), tagMatcher(other.match)];
  return tags.some((tag) => takes.every((taken) => taken(tag)));
}

/** An input that reads what the agent writes never comes to an end. */
function checkLoop(reader: WithOptions, file: WithOptions, { warn }: Report): void {
  const { path, rotate } = file.options;
  if (typeof path !== "string") return;
  const name = sampleOf(path, reader.tag ?? "");
  const rotates = Object.values((rotate ?? {}) as object).some((value) => value !== undefined);
  const names = rotates ? [name, `${name}.1`] : [name];
  const reads = pathMatcher(reader.options.path);
  const excluded = pathMatcher(reader.options.exclude);
  if (!names.some((one) => reads(one) && !excluded(one))) return;
  warn(
    [...file.path, "path"],
    `lies where ${formatPath(reader.path)} reads: the agent would ship its own output again and again. ` +
      "Write to another directory, or exclude it there",
  );
}

function checkDataDir(reader: WithOptions, dataDir: string, { warn }: Report): void {
  const reads = pathMatcher(reader.options.path);
  const excluded = pathMatcher(reader.options.exclude);
  const names = ["queue/0000000001.segment", "dead-letters/0000000001.jsonl"].map((name) => join(dataDir, name));
  if (!names.some((name) => reads(name) && !excluded(name))) return;
  warn(
    [...reader.path, "path"],
    "takes in service.data_dir: the agent would ship its own queue or dead letters; exclude it",
  );
}

function checkExclude(reader: WithOptions, { warn }: Report): void {
  const paths = listOf(reader.options.path);
  const excluded = pathMatcher(reader.options.exclude);
  const plain = paths.length > 0 && paths.every((path) => !picomatch.scan(path).isGlob);
  if (plain && paths.every(excluded)) warn([...reader.path, "exclude"], "leaves out everything that path names");
}

function checkSecrets({ options, path }: WithOptions, { warn }: Report): void {
  const open = listOf(options.url).some((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url?.protocol === "http:" && !isLoopback(url.hostname);
  });
  if (!open) return;
  for (const [name, value] of Object.entries(options)) {
    if (value instanceof Secret) {
      warn([...path, name], "would cross the network in the clear, because url begins with http://; use https://");
    }
  }
}

function listOf(value: unknown): string[] {
  return [value].flat().filter((one) => typeof one === "string");
}

/** As inputs do it: paths or globs, dots like any other character; without a slash it is the name, wherever the file is. */
function pathMatcher(patterns: unknown): (path: string) => boolean {
  const list = listOf(patterns);
  const globs = list.filter((pattern) => picomatch.scan(pattern).isGlob).flatMap(compiled);
  return (path) => list.includes(path) || list.includes(basename(path)) || globs.some((matches) => matches(path));
}

/** A glob the library refuses (above 64 KiB, say) is refused by its input too, with a better message. */
function compiled(glob: string): ((path: string) => boolean)[] {
  try {
    const matches = picomatch(glob, { dot: true });
    return [glob.includes("/") ? matches : (path) => matches(basename(path))];
  } catch {
    return [];
  }
}

const SAMPLES: Readonly<Record<string, string>> = { Y: "2026", F: "2026-02-01", j: "032", "%": "%" };

/** A name as a template of the `file` output makes it. */
function sampleOf(template: string, tag: string): string {
  return template
    .replace(/%([A-Za-z%])/g, (_, letter: string) => SAMPLES[letter] ?? "01")
    .replaceAll("$TAG", () => tag)
    .replaceAll("$GROUP", "log-00000000")
    .replaceAll("$SOURCE", "AAAAAAAAAAAAAAAAAAAAAA");
}
