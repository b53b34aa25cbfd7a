/** This host's clock, against those of the servers and what the system says of its synchronisation. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { error, type Finding, ok, type Subject, unknown, warn } from "./check.ts";
import type { ServerSeen } from "./servers.ts";

const SKEW_MS = 60_000;
/** AWS refuses requests signed with a time 5 minutes off. */
const FAR_MS = 5 * 60_000;
const TODO = "let it be set by NTP: timedatectl set-ntp true (systemd-timesyncd or chrony)";

export async function checkClock({ system }: Subject, servers: readonly ServerSeen[]): Promise<readonly Finding[]> {
  const compared = servers.filter((one): one is ServerSeen & { aheadMs: number } => one.aheadMs !== undefined);
  const findings = compared.filter(({ aheadMs }) => Math.abs(aheadMs) > SKEW_MS).map(skewed);
  const synchronised = await synchronisedBy(system.run);
  if (findings.length > 0) return findings;
  if (compared.length > 0) {
    const names = [...new Set(compared.map(({ address }) => address))].join(", ");
    return [ok(`agrees with ${names}${synchronised === undefined ? "" : `, and ${synchronised}`}`)];
  }
  if (synchronised !== undefined) return [ok(synchronised)];
  return [
    unknown(
      "no destination tells the time, and the system does not say whether its clock is synchronised",
      "timedatectl says so",
    ),
  ];
}

function skewed({ address, aheadMs }: ServerSeen & { aheadMs: number }): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  const what = `this host's clock is ${seconds} s ${aheadMs > 0 ? "behind" : "ahead of"} that of ${address}`;
  return Math.abs(aheadMs) > FAR_MS ? error(what, TODO) : warn(what, TODO);
}

/** systemd-timesyncd leaves a mark; of others nothing can be read without asking them. */
async function synchronisedBy(run: string): Promise<string | undefined> {
  return access(join(run, "systemd/timesync/synchronized")).then(
    () => "systemd-timesyncd has synchronised it",
    () => undefined,
  );
}
