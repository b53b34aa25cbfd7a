import { z } from "zod";
import { duration, size } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { awsOptions, awsProblems } from "../shared/aws.ts";
import { preset, RETENTION, retentionDays } from "../shared/retention.ts";
import { isZone } from "../shared/zone.ts";
import { keyProblems } from "./key.ts";

const DEFAULT_FORMAT = "audit/$TAG/%Y/%m/%d/%H%M%S-$RANGE.jsonl";
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: parts of 5 MiB to 5 GiB, 10,000 of them. Nobody wants 5 GiB in memory. */
const MIN_PART = 5 * 1024 * 1024;
const MAX_PART = 1024 ** 3;
const MAX_PARTS = 10_000;
/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html: others are refused with every upload. */
const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const TAG_RULE = "may hold letters, digits, spaces and _ . : / = + - @";
/** Nothing in these can be read before it is restored, which takes hours. */
const ARCHIVES: ReadonlySet<string> = new Set(["GLACIER", "DEEP_ARCHIVE"]);

export const s3Options = z.strictObject({
  bucket: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be the name of a bucket")
    .meta({ doc: "Bucket; it must exist.", example: "acme-audit" }),
  ...awsOptions,
  force_path_style: z.boolean().default(false).meta({
    doc: "Address the bucket as a path (`https://host/bucket/key`), as most servers want that are not AWS.",
  }),
  s3_key_format: z.string().min(1).default(DEFAULT_FORMAT).meta({
    doc: "Key of an object: strftime conversions (of its first entry's time), `$TAG`, `$TAG[n]`, `$INDEX`, `$NODE`, `$FIRST`, `$LAST` and `$RANGE` (`<node>-<first>-<last>`, the ids of its first and last entry).",
    shown: DEFAULT_FORMAT,
  }),
  s3_key_format_tag_delimiters: z.string().min(1).max(16).default(".").meta({
    doc: "Characters that part a tag for `$TAG[n]`.",
  }),
  time_zone: z.string().default("UTC").refine(isZone, "must be UTC or a zone such as Europe/Berlin").meta({
    doc: "Zone of the times in the key.",
  }),
  total_file_size: size("An object is complete at so many bytes, uncompressed.", "50M"),
  upload_timeout: duration("An object is complete so long after its first entry.", "10m"),
  compression: z.enum(["gzip", "zstd", "none"]).default("gzip").meta({ doc: "How objects are compressed." }),
  compression_level: z.int().min(1).max(22).optional().meta({
    doc: "1 (least CPU) to 9 (smallest) of gzip, by default 3; to 22 of zstd, by default 3.",
  }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: one object a line, additions merged. `original`: the exact bytes of the source, for evidence; an object holds the entries of one log.",
  }),
  part_size: size("Larger objects go up in parts of this size; no more than one is in memory. 5MiB to 1GiB.", "16MiB"),
  server_side_encryption: z
    .enum(["AES256", "aws:kms", "aws:kms:dsse"])
    .optional()
    .meta({ doc: "Encryption by the service: its own keys (`AES256`) or KMS's. By default as the bucket is set." }),
  kms_key_id: z.string().min(1).optional().meta({ doc: "KMS key; with `server_side_encryption: aws:kms`." }),
  storage_class: z
    .enum(["STANDARD", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "GLACIER_IR", "DEEP_ARCHIVE"])
    .optional()
    .meta({ doc: "Storage class." }),
  acl: z
    .enum(["private", "bucket-owner-full-control", "bucket-owner-read", "authenticated-read", "aws-exec-read"])
    .optional()
    .meta({ doc: "Canned ACL; for buckets that still use them." }),
  tags: z
    .record(
      z
        .string()
        .min(1)
        .max(128)
        .regex(TAG, TAG_RULE)
        .regex(/^(?!aws:)/i, "must not begin with aws:"),
      z.string().max(256).regex(TAG, TAG_RULE),
    )
    .default({})
    .meta({
      doc: "Tags of each object, at most ten.",
      example: { team: "security" },
    }),
  object_lock: z
    .strictObject({
      mode: z.enum(["governance", "compliance"]).default("governance").meta({
        doc: "`compliance`: nobody can delete it before its time, not even the account's root. `governance`: who may bypass it can.",
      }),
      retain_days: z.int().min(1).max(36_500).optional().meta({ doc: "Days that an object cannot be deleted." }),
      preset: preset().optional(),
      legal_hold: z.boolean().default(false).meta({ doc: "Put a legal hold on each object as well." }),
    })
    .optional()
    .meta({ doc: "Object Lock; the bucket must have it switched on." }),
});
export type S3Options = z.output<typeof s3Options>;

/** What zod cannot say. */
export function checkOptions(options: S3Options): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const { errors, warnings } = awsProblems(options);
  const key = keyProblems(options.s3_key_format, options.upload_timeout);
  if (key.error !== undefined) errors.push({ path: ["s3_key_format"], message: key.error });
  for (const message of key.warnings) warnings.push({ path: ["s3_key_format"], message });
  const { part_size, total_file_size } = options;
  if (part_size < MIN_PART || part_size > MAX_PART) {
    errors.push({ path: ["part_size"], message: "must be 5MiB to 1GiB" });
  } else if (total_file_size > MAX_PARTS * part_size) {
    const message = `an upload has ${MAX_PARTS} parts at most: objects of that size need a \`part_size\` of ${Math.ceil(total_file_size / MAX_PARTS)}`;
    errors.push({ path: ["total_file_size"], message });
  }
  if (options.compression === "gzip" && (options.compression_level ?? 0) > 9) {
    errors.push({ path: ["compression_level"], message: "is 1 to 9 for gzip" });
  } else if (options.compression === "none" && options.compression_level !== undefined) {
    warnings.push({ path: ["compression_level"], message: "has no effect with `compression: none`" });
  }
  if (options.kms_key_id !== undefined && !options.server_side_encryption?.startsWith("aws:kms")) {
    errors.push({ path: ["kms_key_id"], message: "needs `server_side_encryption: aws:kms`" });
  }
  if (Object.keys(options.tags).length > 10) errors.push({ path: ["tags"], message: "can be ten at most" });
  const lock = options.object_lock;
  if (lock) {
    const { days, error, warning } = retentionDays(lock.preset, lock.retain_days);
    if (error !== undefined) errors.push({ path: ["object_lock"], message: error });
    else if (days === undefined && !lock.legal_hold) {
      errors.push({ path: ["object_lock"], message: "needs `retain_days`, a `preset`, or `legal_hold: true`" });
    }
    if (warning !== undefined) warnings.push({ path: ["object_lock", "preset"], message: warning });
    const archived = ARCHIVES.has(options.storage_class ?? "");
    const { immediate } = lock.preset === undefined ? {} : RETENTION[lock.preset];
    if (archived && immediate !== undefined) {
      const message = `${lock.preset} wants ${immediate} days immediately available, and what is in ${options.storage_class} must be restored first: let a lifecycle rule move objects there after them`;
      warnings.push({ path: ["storage_class"], message });
    }
  }
  return { errors, warnings };
}
