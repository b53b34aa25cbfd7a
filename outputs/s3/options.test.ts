import { expect, test } from "vitest";
import { checkOptions, s3Options } from "./options.ts";

function said(options: object): string[] {
  const { errors, warnings } = checkOptions(s3Options.parse({ bucket: "archive", ...options }));
  const all = [
    ...errors.map((problem) => ["error", problem] as const),
    ...warnings.map((p) => ["warning", p] as const),
  ];
  return all.map(([kind, { path, message }]) => `${kind} ${path.join(".")}: ${message}`);
}

test.each([
  [{}, undefined],
  [{ part_size: "4MiB" }, "error part_size: must be 5MiB to 1GiB"],
  [{ part_size: "5MiB" }, undefined],
  [{ part_size: "2GiB" }, "error part_size: must be 5MiB to 1GiB"],
  // Ten thousand parts of 5 MiB.
  [{ part_size: "5MiB", total_file_size: 52_428_800_000 }, undefined],
  [{ part_size: "5MiB", total_file_size: 52_428_800_001 }, "error total_file_size: an upload has 10000 parts at most"],
  [{ kms_key_id: "k" }, "error kms_key_id: needs `server_side_encryption: aws:kms`"],
  [{ kms_key_id: "k", server_side_encryption: "AES256" }, "error kms_key_id: needs"],
  [{ kms_key_id: "k", server_side_encryption: "aws:kms:dsse" }, undefined],
  [
    { tags: Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`k${i}`, "v"])) },
    "error tags: can be ten at most",
  ],
  [{ object_lock: {} }, "error object_lock: needs `retain_days`, a `preset`, or `legal_hold: true`"],
  [{ object_lock: { legal_hold: true } }, undefined],
  [{ object_lock: { preset: "gdpr" } }, "error object_lock: gdpr names no period"],
  [{ object_lock: { preset: "gdpr", retain_days: 30 } }, undefined],
  [{ object_lock: { preset: "hipaa", retain_days: 2190 } }, "error object_lock: 2190 days are fewer than the 2192"],
  [{ object_lock: { preset: "soc2" } }, "warning object_lock.preset: soc2: 1096 days are recommended"],
  [
    { object_lock: { preset: "pci_dss" }, storage_class: "DEEP_ARCHIVE" },
    "warning storage_class: pci_dss wants 90 days",
  ],
  [{ object_lock: { preset: "pci_dss" }, storage_class: "GLACIER" }, "warning storage_class: pci_dss wants 90 days"],
  [{ object_lock: { preset: "pci_dss" }, storage_class: "GLACIER_IR" }, undefined],
  [{ object_lock: { preset: "hipaa" }, storage_class: "DEEP_ARCHIVE" }, undefined],
  [
    { s3_key_format: "%Y/%H/$RANGE", upload_timeout: "2h" },
    "warning s3_key_format: begins a new object with every hour",
  ],
  [{ s3_key_format: "%Y/$UUID" }, "error s3_key_format: $UUID"],
])("%j", (options, expected) => {
  expect(said(options)).toEqual(expected === undefined ? [] : [expect.stringContaining(expected)]);
});

test.each([
  { bucket: "No_Capitals" },
  { time_zone: "Europe/Nowhere" },
  { compression: "lz4" },
  { tags: { "a;b": "c" } },
  { tags: { a: "b*" } },
  { tags: { "aws:a": "b" } },
  { object_lock: { mode: "compliance", days: 3 } },
])("%j is refused", (options) => {
  expect(s3Options.safeParse({ bucket: "archive", ...options }).success).toBe(false);
});
