import { z } from "zod";
import { defineOutput } from "../../agent/api/plugin.ts";
import { StdoutOutput } from "./output.ts";
import { prettyFields } from "./pretty.ts";

const options = z.strictObject({
  format: z.enum(["json", "pretty", "original"]).default("json").meta({
    doc: "`json`: one object a line, additions merged. `pretty`: for people. `original`: the exact bytes of the source.",
  }),
});

export default defineOutput<typeof options>({
  name: "stdout",
  summary: "Prints entries to standard output.",
  options,
  example: { format: "pretty" },
  notes: [
    "A reader that is slow slows this output down, and no other. Where the reader has gone (`| head`) the output is " +
      "`blocked` and says so; where standard output is the only destination, the agent then stops, with exit code 1.",
    "What standard output took counts as delivered: what became of it in a pipe nobody can know.",
  ].join("\n"),
  limits: { records: 1_000, bytes: 1024 * 1024, overhead: 1 },
  guarantee: () => "best-effort",
  fields: ({ format }) => (format === "pretty" ? prettyFields : []),
  defaults: { concurrency: 1, linger: "0" },
  create: ({ format }, context) => new StdoutOutput(process.stdout, format, context),
});
