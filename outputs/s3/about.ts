/** What is said of an object when it is uploaded: its name, its identity, and what the options ask of the service. */
import type { PutObjectCommandInput } from "@aws-sdk/client-s3";
import { retentionDays } from "../shared/retention.ts";
import type { S3Options } from "./options.ts";

/** What an object says of itself. */
export interface Identity {
  readonly plan: string;
  /** SHA-256 of the uncompressed content, hex. */
  readonly sha256: string;
  readonly records: number;
}

const DAY = 86_400_000;
const PLAN = "audit-plan";
const SHA256 = "audit-sha256";
const RECORDS = "audit-records";
const TYPES = { gzip: "application/gzip", zstd: "application/zstd", none: "application/x-ndjson" } as const;

/** `now`: the service's clock as far as it is known; locks are counted from it. */
export function aboutObject(options: S3Options, key: string, { plan, sha256, records }: Identity, now: number) {
  const { bucket, compression, server_side_encryption, kms_key_id, storage_class, acl, tags } = options;
  return {
    Bucket: bucket,
    Key: key,
    ContentType: TYPES[compression],
    Metadata: { [PLAN]: plan, [SHA256]: sha256, [RECORDS]: String(records) },
    ...(server_side_encryption && { ServerSideEncryption: server_side_encryption }),
    ...(kms_key_id !== undefined && { SSEKMSKeyId: kms_key_id }),
    ...(storage_class && { StorageClass: storage_class }),
    ...(acl && { ACL: acl }),
    ...(Object.keys(tags).length > 0 && { Tagging: tagging(tags) }),
    ...lock(options, now),
  } satisfies Omit<PutObjectCommandInput, "Body">;
}

/** As the query of a URL. A space is %20 to every reader of those; `+` is one to some. */
function tagging(tags: Readonly<Record<string, string>>): string {
  return new URLSearchParams(tags).toString().replaceAll("+", "%20");
}

/** What an object's metadata say it is. */
export function identityIn(metadata: Readonly<Record<string, string>>): Partial<Identity> {
  const { [PLAN]: plan, [SHA256]: sha256 } = metadata;
  return { ...(plan !== undefined && { plan }), ...(sha256 !== undefined && { sha256 }) };
}

/** Counted from the upload: a repeat that finds the object there leaves its date as it is. */
function lock({ object_lock }: S3Options, now: number): Partial<PutObjectCommandInput> {
  if (!object_lock) return {};
  const { mode, preset, retain_days, legal_hold } = object_lock;
  const { days } = retentionDays(preset, retain_days);
  return {
    ...(days !== undefined && {
      ObjectLockMode: mode === "compliance" ? "COMPLIANCE" : "GOVERNANCE",
      ObjectLockRetainUntilDate: new Date(now + days * DAY),
    }),
    ...(legal_hold && { ObjectLockLegalHoldStatus: "ON" as const }),
  };
}
