import { z } from "zod";
import { defineInput } from "../../agent/api/plugin.ts";
import { checkFraming, framerOptions, framingOptions, parserOption, syslogOptions } from "../shared/parse/options.ts";
import { StdinInput } from "./stdin.ts";

export const stdin = defineInput({
  name: "stdin",
  summary: "Reads standard input until it ends.",
  options: z.strictObject({ ...parserOption, ...framingOptions, ...syslogOptions }),
  example: { parser: "json" },
  notes:
    "One input of a pipeline can read standard input. A pipe cannot be read twice: of what was read, a crash loses what " +
    "the queue had not yet made durable (less than a second). An unfinished last line is delivered when the input ends. " +
    "Lines of white space alone are skipped and not counted.",
  check: (options) => ({ errors: checkFraming(options) }),
  create: (options, context) => {
    const { facility, severity } = options;
    return new StdinInput(process.stdin, { ...framerOptions(options), facility, severity }, context);
  },
});
