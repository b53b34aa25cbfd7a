import { z } from "zod";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { defineFilter } from "../../agent/api/plugin.ts";
import { Level, levelNames, levelOf, levelWords, View, viewFields } from "../../agent/api/view.ts";
import { Keeper } from "../shared/keep.ts";

const WORDS = levelNames
  .map((name) => {
    const others = levelWords(levelOf(name)).filter((word) => word !== name);
    return `\`${name}\` (also ${others.map((word) => `\`${word}\``).join(", ")})`;
  })
  .join("; ");
const MESSAGE = `must be one of ${levelNames.join(", ")} (or an alias such as warn, err, critical)`;

export const level = defineFilter({
  name: "level",
  summary: "Drops entries below a level.",
  options: z.strictObject({
    min: z
      .string()
      .refine((word) => levelOf(word) !== Level.none, MESSAGE)
      .meta({
        doc: "The lowest level that passes: debug, info, warning or error, or a word that means one of them (below).",
        example: "warning",
      }),
    missing: z.enum(["derive", "pass", "drop"]).default("derive").meta({
      doc: "Entries without a known level: `derive` it from event and outcome, let them `pass`, or `drop` them.",
    }),
  }),
  example: { min: "info" },
  notes:
    "Where no level is written it is derived: `error` for names ending in `.fail`, `.error`, `_failed`; `warning` for failed outcomes, for " +
    "logins, logouts, deletions, kills, stops, changes of tokens, keys and policies, and denials; else `info`. " +
    "From lines that are no JSON object nothing can be derived: they pass unless `missing` is `drop`.\n\n" +
    `Words for the levels, in \`min\` and in entries, in any case: ${WORDS}. Of numbers in entries, 0 to 7 are syslog severities, from 10 on ` +
    "they are those of pino and bunyan.",
  drops: true,
  fields: () => viewFields.level,
  create(options, context) {
    const view = new View(context.fields);
    const keeper = new Keeper();
    const min = levelOf(options.min);
    const { missing } = options;
    const wanted = (batch: RecordBatch, i: number): boolean => {
      const found = missing === "derive" ? view.level(batch, i) : view.writtenLevel(batch, i);
      return found === Level.none ? missing !== "drop" : found >= min;
    };
    return { process: (batch) => keeper.keep(batch, wanted) };
  },
});
