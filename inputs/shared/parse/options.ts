/** Options of every input that reads bytes: how they become records, and what syslog outputs say of them. */
import { z } from "zod";
import { size } from "../../../agent/api/options.ts";
import type { OptionProblem } from "../../../agent/api/plugin.ts";
import { FACILITIES, SEVERITIES } from "../../../agent/api/syslog-names.ts";
import type { FramerOptions } from "./framer.ts";

/** Below, the wrappings of `cri` and `syslog` lines would be all that is left. */
const LEAST_LINE_BYTES = 1024;
/** A record must fit a block of the queue; and a `docker` line is held with its escapes, six times as long. */
const MOST_LINE_BYTES = 64 * 1024 * 1024;

/** `parser` alone: inputs of a known format leave it out. */
export const parserOption = {
  parser: z
    .enum(["json", "none", "syslog", "cri", "docker"])
    .default("json")
    .meta({
      doc:
        "What a line is: a JSON object, plain text, a syslog line (a JSON body is taken out), " +
        "or a container log of Kubernetes (`cri`) or Docker (`docker`), whose text is taken out.",
    }),
};

export const framingOptions = {
  multiline: z
    .enum(["json"])
    .optional()
    .meta({ doc: "`json`: an object may take several lines (pretty-printed). With `parser: json` only." }),
  max_line_bytes: size("A longer line travels cut, marked, with its length and SHA-256.", "1MiB"),
};

export const syslogOptions = {
  facility: z
    .enum(FACILITIES)
    .optional()
    .meta({ doc: "Syslog facility of these entries, instead of the one the `syslog` output has." }),
  severity: z.enum(SEVERITIES).optional().meta({
    doc: "Syslog severity of these entries, for the `syslog` output, instead of the one their level gives.",
  }),
};

interface Framing {
  readonly parser?: FramerOptions["parser"];
  readonly multiline?: "json" | undefined;
  readonly max_line_bytes: number;
}

/** What the schema cannot say. */
export function checkFraming({ parser = "json", multiline, max_line_bytes }: Framing): OptionProblem[] {
  const problems: OptionProblem[] = [];
  if (multiline !== undefined && parser !== "json") {
    problems.push({ path: ["multiline"], message: `goes with \`parser: json\` only, not with \`${parser}\`` });
  }
  if (max_line_bytes < LEAST_LINE_BYTES || max_line_bytes > MOST_LINE_BYTES) {
    problems.push({ path: ["max_line_bytes"], message: "must be between 1KiB and 64MiB" });
  }
  return problems;
}

export function framerOptions({ parser = "json", multiline, max_line_bytes }: Framing): FramerOptions {
  return { parser, multiline, maxLineBytes: max_line_bytes };
}
