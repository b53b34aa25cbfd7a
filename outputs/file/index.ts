import { z } from "zod";
import type { Secret } from "../../agent/api/options.ts";
import { optionalDuration, optionalSize, path, secret } from "../../agent/api/options.ts";
import { defineObjectOutput, type OptionProblem } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { timeTemplateProblem } from "../shared/strftime.ts";
import { FileOutput } from "./output.ts";
import { parseKey } from "./seal.ts";

/** A partition may have 512 bytes; the rest is for a tag in the name. */
const MAX_PATH = 400;

const options = z.strictObject({
  path: path(
    "File to append to. `%Y-%m-%d` and the like are of the entry's own time, in UTC; `$TAG` is its tag, `$GROUP` a name for the log it comes from, `$SOURCE` the id of the file.",
  ).meta({ example: "/var/log/archive/audit-%Y-%m-%d.jsonl" }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: one object a line, additions merged. `original`: the exact bytes of the source, for evidence.",
  }),
  rotate: z
    .strictObject({
      size: optionalSize("A file that has reached this size is put away as `<path>.<number>` before the next write."),
      age: optionalDuration("A file this old is put away before the next write."),
    })
    .prefault({})
    .meta({ doc: "When a file is put away and a new one begun; by default when the name changes, and only then." }),
  compression: z.enum(["none", "gzip", "zstd"]).default("none").meta({
    doc: "Compress files that were put away, and those of past names after ten minutes without a write. Encrypted files are compressed inside.",
  }),
  encrypt: z.boolean().default(false).meta({ doc: "Encrypt files with AES-256-GCM; needs `key`." }),
  key: secret("Key of the encryption: 32 bytes as 64 hex digits or base64.")
    .optional()
    .meta({ example: "${file:/run/secrets/archive-key}" }),
});

function keyProblems(
  encrypt: boolean,
  key: Secret | undefined,
): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const at = ["key"];
  if (!encrypt) {
    const unused = { path: at, message: "is not used, as encrypt is not set: files are written in the clear" };
    return { errors: [], warnings: key ? [unused] : [] };
  }
  if (key === undefined) {
    const message =
      "encrypt needs a key: set key to ${file:/path/to/key} or an environment variable (openssl rand -hex 32)";
    return { errors: [{ path: at, message }], warnings: [] };
  }
  const message = "must be 32 bytes, as 64 hex digits or base64 (openssl rand -hex 32)";
  return { errors: parseKey(key.reveal()) ? [] : [{ path: at, message }], warnings: [] };
}

export default defineObjectOutput<typeof options>({
  name: "file",
  summary: "Appends entries to files, one a line: a local archive.",
  options,
  example: { path: "/var/log/archive/audit-%Y-%m-%d.jsonl", rotate: { size: "100MiB" }, compression: "zstd" },
  notes: [
    "Every group of lines is synced to the disk before it counts as delivered. After a crash the same write is made again; what had",
    "reached the file by then is found there, so each entry stands in the archive once. Files are 0600, directories 0700.",
    "",
    "Files that were put away are `<path>.1`, `<path>.2`, … (1 is the oldest), with `.gz` or `.zst` once compressed. Only files this",
    "output began itself are compressed; the hidden file `.audit-agent-<alias>.json` beside the archive lists them.",
    "",
    "`format: original` ships each line as it was; where an entry stands on several lines, the line breaks between its tokens become",
    "spaces, which changes no value. Line breaks aside, an archive of originals holds the bytes of its source, and what verifies hash chains",
    "there verifies them here. For that each log needs files of its own: `$GROUP` in `path` keeps logs apart, `$GROUP/audit-$SOURCE.jsonl` also their",
    "files, whatever they are renamed to; without times in it, entries stay in the order in which they came. Let the tag `audit.integrity` go",
    "elsewhere, by `match` or `$TAG`.",
    "",
    "Two outputs cannot append to one file, and an archive should not lie where an input reads.",
  ].join("\n"),
  limits: { records: 100_000, bytes: 8 * 1024 * 1024, overhead: 1 },
  guarantee: () => "exactly-once",
  fields: () => viewFields.time,
  defaults: { concurrency: 1 },
  check(parsed) {
    const { errors, warnings } = keyProblems(parsed.encrypt, parsed.key);
    const template = timeTemplateProblem(parsed.path);
    if (template !== undefined) errors.push({ path: ["path"], message: template });
    if (Buffer.byteLength(parsed.path) > MAX_PATH)
      errors.push({ path: ["path"], message: `is longer than ${MAX_PATH} bytes` });
    if (parsed.path.endsWith("/")) errors.push({ path: ["path"], message: "must name a file, not a directory" });
    return { errors, warnings };
  },
  keeps: async ({ path: archive }) => [{ by: `nothing of this agent's deletes ${archive}`, days: null }],
  // Small and quick: entries show up in the archive at once, and a group fits in memory.
  assemble: () => ({ bytes: 4 * 1024 * 1024, ageMs: 200 }),
  create(parsed, context) {
    const key = parsed.encrypt && parsed.key ? parseKey(parsed.key.reveal()) : undefined;
    if (parsed.encrypt && key === undefined) throw new Error("key must be 32 bytes, as 64 hex digits or base64");
    return new FileOutput(
      {
        path: parsed.path,
        format: parsed.format,
        rotateSize: parsed.rotate.size,
        rotateAge: parsed.rotate.age,
        compression: parsed.compression,
        key,
      },
      context,
    );
  },
});
