import { defineObjectOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
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
An object holds entries of one tag and of one stretch of their own time (an hour or a day, as the folders of the key say), in their order, one a
line. It is complete when it has \`total_file_size\` bytes, uncompressed, or its first entry is \`upload_timeout\` old; until then entries wait in
the queue on disk.

What goes into an object is decided and stored before the upload, its key follows from that (strftime parts are the first entry's time, a leading
\`/\` is dropped), and the upload is conditional (\`If-None-Match: *\`): after a crash the same object is made again and found there. Its metadata
name the plan (\`audit-plan\`), the entries (\`audit-records\`) and the SHA-256 of the uncompressed content (\`audit-sha256\`). Where other content
has the key, \`-1\` is put before its extension, and the event \`key_conflict\` says so.

A bucket policy needs \`s3:PutObject\`, \`s3:GetObject\` (to look at metadata) and \`s3:ListBucket\` (so that a missing object is 404 and not 403);
\`s3:AbortMultipartUpload\` for large objects, \`s3:PutObjectRetention\` and \`s3:PutObjectLegalHold\` for Object Lock, \`s3:PutObjectTagging\` for tags.
A lifecycle rule should remove incomplete uploads after a day.

Presets for how long an object is locked: soc2 365 days (1096 are recommended), hipaa 2192 (six calendar years; 2190 days are short of them), pci_dss 365
(of which 90 immediately available), fedramp 1096, iso27001 1096; gdpr names no period.
`.trim(),
  limits: { records: 10_000_000, bytes: 5_000_000_000, overhead: 1 },
  defaults: { concurrency: 1, timeout: "10m" },
  guarantee: () => "exactly-once",
  fields: () => viewFields.time,
  check: checkOptions,
  assemble: ({ total_file_size, upload_timeout }) => ({ bytes: total_file_size, ageMs: upload_timeout }),
  create: (options, context) => new S3Output(options, context),
});
