import { z } from "zod";
import { duration, path } from "../../agent/api/options.ts";
import { defineFilter, type OptionProblem } from "../../agent/api/plugin.ts";
import { KIND_WORDS, NO_TAMPERING } from "../../agent/integrity/kinds.ts";
import { SCHEME_NAMES } from "../../agent/integrity/scheme.ts";
import { ChainFilter } from "./filter.ts";
import { INTEGRITY_TAG } from "./records.ts";

const fields = z
  .strictObject({
    hash: z.string().min(1).optional().meta({ doc: "Top-level key of an entry's own hash.", example: "entry_hash" }),
    previous: z.string().min(1).optional().meta({ doc: "Top-level key of the hash before, in schemes that name it." }),
  })
  .prefault({})
  .meta({ doc: "Other names than the scheme's own." });

const KINDS = Object.entries(KIND_WORDS)
  .filter(([kind]) => kind !== "head_missing")
  .map(
    ([kind, words]) => `- \`${kind}\`: ${words}${NO_TAMPERING.has(kind as never) ? "; no tampering by itself" : ""}`,
  );

const notes = [
  "Put it before every filter that drops: a chain can only be verified whole. Each group of an input (a log with its rotated files) has a " +
    "chain of its own, which goes on across files, rotations and restarts. Entries pass as they are, whatever is found out about them; what " +
    `is to be told travels as a record of its own with the tag \`${INTEGRITY_TAG}\`, through the filters behind this one and to every output ` +
    "that takes that tag:",
  [
    "| event | level | when |",
    "|---|---|---|",
    "| `integrity.chain.broken` | error | a chain does not hold; `kind` says what happened |",
    "| `integrity.chain.started` | info | once for each group, with its first hash: what stood before was not seen (`genesis`: nothing did) |",
    "| `integrity.chain.verified` | info | every `verified_every`, for every chain met in the last seven days, also while nothing comes: alert when they stop |",
    "| `integrity.chain.restarted` | warning | a new chain begins in the midst of a log |",
    "| `integrity.chain.unverifiable` | warning | a line is longer than `max_line_bytes` and travels cut: its hash cannot be checked |",
  ].join("\n"),
  "They carry file, line, byte offset, expected and found hash, and the number of entries verified before. `line` is null where it cannot be " +
    "counted: in compressed files, beyond 64 MiB, or where the file is not what it was. They leave with the next tick, within about a second; " +
    "where the lines that follow decide what happened, those are waited for, two seconds at most. Each is made once, whatever crashes in " +
    "between; only in a flood of breaks may some be made again, under the same ids.",
  "After a break it goes on from the hash that is stored, so one edit is one break. Lines before the first entry with a hash (files from before " +
    "integrity) are no break; they are counted. A file that does not follow is no break as long as another beside it, not read yet, explains " +
    "it: copying folders loses modification times. Kinds of break:",
  KINDS.join("\n"),
  "`truncated` is not told where the file was copied and then emptied (logrotate's `copytruncate`): a file beside it then ends with what was shipped.",
  "What `on_break` does, beside the record: `alert` nothing more. `annotate` marks the entry where a break shows, in `format: json`, with " +
    '`"integrity": {"chain": "broken"}`, and lines that cannot be checked with `"unverified"`; a break that is told later than its entry passed ' +
    "is in the record only. `quarantine` diverts the group's entries from the break on to a file in `quarantine.path` (counted as filtered), " +
    "until the file `<name>.hold` beside it is removed; what was held is then put away as `<name>.released-<n>.jsonl`, for another input to " +
    "ship. `stop` lets nothing more be read from the input, which is `blocked` in health, until the agent is started with another `on_break`; " +
    "with `--once` the run fails. The batch in which the break shows has passed by then.",
  "`annotate` and `quarantine` must know as an entry passes, so they judge by the lines at hand: where those are few, what was `reordered` may be " +
    "told as `edited_or_removed` or `removed`. A file `<name>.unfinished-<n>.jsonl` in the quarantine is what an agent left whose state is not " +
    "known any more, after a kill at that very moment, say: its entries were then written once more.",
].join("\n\n");

export const chain = defineFilter({
  name: "chain",
  summary: "Verifies hash chains while entries pass, and tells where one does not hold.",
  options: z.strictObject({
    scheme: z
      .enum(["auto", ...SCHEME_NAMES])
      .default("auto")
      .meta({
        doc: "How entries are chained. `auto`: found out at a group's first entry that has a hash.",
      }),
    fields,
    on_break: z.enum(["alert", "annotate", "quarantine", "stop"]).default("alert").meta({
      doc: "What happens at a break, beside the record that tells of it.",
    }),
    allow_restart: z.boolean().default(true).meta({
      doc: "Whether a new chain may begin in the midst of a log, as writers do that are started anew: a warning. Else it is a break.",
    }),
    verified_every: duration(
      "How often each chain says how far it is verified, also while nothing comes, so that its absence is noticed. `0`: never.",
      "10m",
    ),
    wait_for_file: duration(
      "How long a file whose beginning does not follow may wait for another one beside it that explains it, before that is told as a break.",
      "5m",
    ),
    quarantine: z
      .strictObject({
        path: path("Directory for what is held back.").optional().meta({ example: "/var/lib/audit-agent-quarantine" }),
      })
      .prefault({})
      .meta({ doc: "For `on_break: quarantine`." }),
  }),
  example: { scheme: "auto", on_break: "alert" },
  notes,
  drops: false,
  creates: [INTEGRITY_TAG],
  check(options) {
    const errors: OptionProblem[] = [];
    if (options.on_break === "quarantine" && options.quarantine.path === undefined)
      errors.push({
        path: ["quarantine", "path"],
        message: "on_break: quarantine needs a directory for what is held back",
      });
    return { errors };
  },
  create(options, context) {
    const { scheme, on_break: onBreak, allow_restart: allowRestart } = options;
    return new ChainFilter(
      {
        scheme,
        fields: options.fields,
        onBreak,
        allowRestart,
        // What becomes of an entry has to be known as it passes.
        patient: onBreak === "alert" || onBreak === "stop",
        verifiedEvery: options.verified_every,
        waitForFile: options.wait_for_file,
        directory: options.quarantine.path ?? "",
      },
      context,
    );
  },
});
