import { defineObjectOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { keepings } from "./keeping.ts";
import { checkOptions, s3Options } from "./options.ts";
import { S3Output } from "./output.ts";

export default defineObjectOutput({
  name: "s3",
  summary:
    "Uploads entries to S3 (or anything that speaks its protocol) as compressed objects, each once, locked against deletion where asked.",
  options: s3Options,
  example: {
    bucket: "acme-audit",
    region: "eu-central-1",
    total_file_size: "50M",
    upload_timeout: "10m",
    object_lock: { mode: "compliance", preset: "hipaa" },
  },
  notes: `
An object holds entries of one tag and of one stretch of their own time (an hour where the key's folders name one, else a day; in \`time_zone\`), in
their order, one a line. It is complete when it has \`total_file_size\` bytes, uncompressed, or its first entry arrived \`upload_timeout\` ago; until
then entries wait in the queue on disk. What comes late goes into an object of its own time. At most 32 objects are open at once; where one more
begins, the oldest is uploaded early. One part is in memory at a time (\`part_size\`), however large the object. \`timeout\`
is for all of an object: raise it with \`total_file_size\`.

What goes into an object is decided and stored before the upload, its key follows from that (strftime parts, \`%Y %m %d %H %M %S\` and the like, are the first entry's
time, or when it was read where it has none; a leading \`/\` is dropped, empty folders are left out), and the upload is conditional (\`If-None-Match: *\`): after a
crash the same object is made again and found there. Its metadata name the plan (\`audit-plan\`), the number of entries (\`audit-records\`) and the
SHA-256 of the uncompressed content (\`audit-sha256\`); every upload and every part has a SHA-256 checksum that the service verifies. Where other
content has the key, \`-1\` is put before its extension, and the event \`key_conflict\` says so. Exactly once needs a
service that honours \`If-None-Match\`, as AWS does; some others do not where an upload is completed in parts (a \`part_size\` above the objects' size
avoids those).

A policy needs \`s3:PutObject\` and \`s3:GetObject\` (to look at the metadata of what has the key already). Besides, for what is used:
\`s3:PutObjectRetention\` and \`s3:PutObjectLegalHold\` for Object Lock, \`s3:PutObjectTagging\` for tags, \`s3:PutObjectAcl\` for an ACL,
\`kms:GenerateDataKey\` and \`kms:Decrypt\` for a KMS key, \`s3:AbortMultipartUpload\` and \`s3:ListBucketMultipartUploads\` to clear away what a killed
agent had uploaded of a large object (a lifecycle rule should remove incomplete uploads in any case). \`s3:ListBucket\` is not needed; with it a repeat
after a crash may save an upload.

\`validate --connect\` begins an upload in parts as any object's is begun, and gives it up: rights, encryption, storage class, tags and Object Lock are
tried, and nothing is stored. It uses the tag \`audit-agent-probe\`: a policy by tag has to allow its keys.

Presets for how long an object is locked, counted from its upload: soc2 365 days (1096 are recommended), hipaa 2192 (six calendar years; 2190 days are
short of them), pci_dss 365 (of which 90 immediately available, so neither in GLACIER nor in DEEP_ARCHIVE), fedramp 1096, iso27001 1096; gdpr names no
period.
`.trim(),
  limits: { records: 10_000_000, bytes: 5_000_000_000, overhead: 1 },
  defaults: { concurrency: 1, timeout: "10m" },
  guarantee: () => "exactly-once",
  fields: () => viewFields.time,
  check: checkOptions,
  keeps: keepings,
  assemble: ({ total_file_size, upload_timeout }) => ({ bytes: total_file_size, ageMs: upload_timeout }),
  create: (options, context) => new S3Output(options, context),
});
