import { z } from "zod";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { awsOptions, awsProblems } from "../shared/aws.ts";
import { preset, retentionDays } from "../shared/retention.ts";
import { RETENTION_DAYS, retentionFor } from "./limits.ts";
import { nameProblem } from "./names.ts";

const WORDS = "with strftime conversions (of an entry's own time, UTC), `$TAG`, `$TAG[n]`, `$HOSTNAME` and `$NODE`";

export const cloudwatchOptions = z.strictObject({
  log_group: z
    .string()
    .min(1)
    .meta({ doc: `Log group, ${WORDS}.`, example: "/audit/dashboard" }),
  log_stream: z
    .string()
    .min(1)
    .default("$TAG-$NODE")
    .meta({ doc: `Log stream, ${WORDS}.` }),
  ...awsOptions,
  auto_create: z.boolean().default(true).meta({ doc: "Make groups and streams that are missing." }),
  retention_days: z.int().min(1).max(3_653).optional().meta({
    doc: "Days that a group made by this agent keeps its entries; the service takes certain numbers, the next higher one is used.",
  }),
  preset: preset().optional(),
  kms_key_id: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .meta({ doc: "ARN of the KMS key that encrypts groups made by this agent, instead of the service's own." }),
  log_group_class: z.enum(["standard", "infrequent_access"]).default("standard").meta({
    doc: "Class of groups made by this agent; it cannot be changed later. `infrequent_access` costs less and can do less.",
  }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: entries as JSON, additions merged. `original`: their exact bytes.",
  }),
  too_large: z.enum(["dead_letter", "cut"]).default("dead_letter").meta({
    doc: "What becomes of entries above 1 MB, the service's limit: `cut` ends them with ` [cut]`.",
  }),
  out_of_range: z.enum(["dead_letter", "read_time"]).default("dead_letter").meta({
    doc: "What becomes of entries older than 14 days or more than 2 hours ahead, which the service rejects: `read_time` sends them with the time when they were read (the present time, where that is too old as well); the entry keeps its own.",
  }),
});
export type CloudwatchOptions = z.output<typeof cloudwatchOptions>;

/** Days for PutRetentionPolicy; undefined where the group is to keep everything. */
export function retentionOf({ preset: regime, retention_days }: CloudwatchOptions): number | undefined {
  const { days } = retentionDays(regime, retention_days);
  return days === undefined ? undefined : retentionFor(days);
}

/** What zod cannot say. */
export function checkOptions(options: CloudwatchOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const { errors, warnings } = awsProblems(options);
  const group = nameProblem(options.log_group, "group");
  if (group !== undefined) errors.push({ path: ["log_group"], message: group });
  const stream = nameProblem(options.log_stream, "stream");
  if (stream !== undefined) errors.push({ path: ["log_stream"], message: stream });
  const { days, error, warning } = retentionDays(options.preset, options.retention_days);
  const at = [options.retention_days === undefined ? "preset" : "retention_days"];
  if (error !== undefined) errors.push({ path: at, message: error });
  if (warning !== undefined) warnings.push({ path: at, message: warning });
  const used = days === undefined ? undefined : retentionFor(days);
  if (used !== undefined && used !== days) {
    warnings.push({ path: at, message: `the service does not take ${days} days; ${used} are used` });
  }
  if (days !== undefined && days > RETENTION_DAYS.at(-1)!) {
    errors.push({ path: at, message: `cannot be more than ${RETENTION_DAYS.at(-1)}` });
  }
  const creation = {
    [at[0]!]: days !== undefined,
    kms_key_id: options.kms_key_id !== undefined,
    log_group_class: options.log_group_class !== "standard",
  };
  for (const [name, given] of Object.entries(creation))
    if (given && !options.auto_create)
      warnings.push({ path: [name], message: "has no effect with `auto_create: false`" });
  return { errors, warnings };
}
