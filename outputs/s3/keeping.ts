/** How long objects are kept: what the bucket's lifecycle rules delete, and what Object Lock forbids to delete. */
import type { OutputContext } from "../../agent/api/context.ts";
import type { Keeping } from "../../agent/api/plugin.ts";
import { retentionDays } from "../shared/retention.ts";
import type { S3Options } from "./options.ts";
import { Store } from "./store.ts";

interface Rule {
  readonly id: string;
  readonly prefix: string;
  readonly days: number;
}

export async function keepings(
  options: S3Options,
  context: OutputContext,
  signal: AbortSignal,
): Promise<readonly Keeping[]> {
  const store = new Store(options, context);
  try {
    const { object_lock: lock } = options;
    const locked = lock
      ? (retentionDays(lock.preset, lock.retain_days).days ?? 0)
      : await lockedByBucket(store, signal);
    // What comes before the first part of a key that is not the same for all.
    const start = options.s3_key_format.replace(/[%$].*$/s, "").replace(/^\/+/, "");
    const rules = (await rulesOf(store, signal)).filter(
      ({ prefix }) => prefix.startsWith(start) || start.startsWith(prefix),
    );
    if (rules.length === 0) return [{ by: `no lifecycle rule of the bucket ${options.bucket}`, days: null, locked }];
    return rules.map(({ id, days }) => ({ by: `the lifecycle rule ${id} of ${options.bucket}`, days, locked }));
  } finally {
    await store.close();
  }
}

/** What is locked without being asked for; 0 also where one may not ask. */
async function lockedByBucket(store: Store, signal: AbortSignal): Promise<number> {
  try {
    return await store.ask(async (sdk, client, Bucket) => {
      const ask = new sdk.GetObjectLockConfigurationCommand({ Bucket });
      const { ObjectLockConfiguration } = await client.send(ask, { abortSignal: signal });
      const { Days = 0, Years = 0 } = ObjectLockConfiguration?.Rule?.DefaultRetention ?? {};
      return Days + Years * 365;
    });
  } catch {
    signal.throwIfAborted();
    return 0;
  }
}

async function rulesOf(store: Store, signal: AbortSignal): Promise<Rule[]> {
  try {
    return await store.ask(async (sdk, client, Bucket) => {
      const ask = new sdk.GetBucketLifecycleConfigurationCommand({ Bucket });
      const { Rules = [] } = await client.send(ask, { abortSignal: signal });
      return Rules.flatMap(({ ID, Status, Prefix, Filter, Expiration }) => {
        const days = Expiration?.Days;
        if (Status !== "Enabled" || days === undefined) return [];
        return { id: ID ?? "without a name", prefix: Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? "", days };
      });
    });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Error && error.name === "NoSuchLifecycleConfiguration") return [];
    const { reason, code } = store.connection.failure(error);
    throw new Error(code === "AccessDenied" ? `${reason} (s3:GetLifecycleConfiguration is needed)` : reason);
  }
}
