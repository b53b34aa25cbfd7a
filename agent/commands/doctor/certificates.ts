/** Certificates that are about to expire: those of the servers, and those in the configuration. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import type { TlsOptions } from "../../api/options.ts";
import { error, type Finding, ok, type Subject, unknown, warn } from "./check.ts";
import { modeOf } from "./secrets.ts";
import { type ServerSeen, tlsOf } from "./servers.ts";

const DAY_MS = 86_400_000;
const WARN_DAYS = 30;
const ERROR_DAYS = 7;

export async function checkCertificates(
  { config, clock }: Subject,
  servers: readonly ServerSeen[],
): Promise<readonly Finding[]> {
  const now = clock.now();
  const findings: Finding[] = [];
  for (const { output, address, chain, problem } of servers) {
    if (address.startsWith("http://")) continue;
    if (problem !== undefined) {
      findings.push(unknown(`${output}: ${address} shows no certificate: ${problem}`));
      continue;
    }
    for (const [i, certificate] of chain.entries()) {
      const whose =
        i === 0
          ? `the certificate of ${address}`
          : `the certificate of ${address}'s authority (${nameOf(certificate)})`;
      const todo = "have it renewed there; when it has expired the output waits";
      findings.push(...expiry(`${output}: ${whose}`, certificate, now, todo, i === 0));
    }
  }
  for (const output of config.outputs) {
    const tls = tlsOf(output);
    if (tls) findings.push(...(await ownFiles(output.alias, tls, now)));
  }
  return findings;
}

async function ownFiles(alias: string, tls: TlsOptions, now: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const renew = "put a new one in its place: it is read with every connection, no restart is needed";
  for (const option of ["ca", "cert"] as const) {
    const file = tls[option];
    if (file === undefined) continue;
    for (const certificate of await certificatesIn(file)) {
      findings.push(
        ...expiry(`${alias}: tls.${option} ${file} (${nameOf(certificate)})`, certificate, now, renew, true),
      );
    }
  }
  if (tls.key !== undefined) findings.push(...(await checkKey(alias, tls.key, tls.cert)));
  return findings;
}

async function checkKey(alias: string, key: string, cert: string | undefined): Promise<Finding[]> {
  const found = await stat(key).catch(() => undefined);
  // That it cannot be read the configuration's check says.
  if (found === undefined) return [];
  const findings: Finding[] = [];
  if ((found.mode & 0o077) !== 0) {
    findings.push(warn(`${alias}: others may read the private key ${key} (${modeOf(found.mode)})`, `chmod 600 ${key}`));
  }
  const [own] = cert === undefined ? [] : await certificatesIn(cert);
  const secret = await readFile(key)
    .then(createPrivateKey)
    .catch(() => undefined);
  if (own && secret && !own.checkPrivateKey(secret)) {
    findings.push(
      error(`${alias}: tls.key ${key} is not the key of tls.cert ${cert}`, "name the key that belongs to it"),
    );
  }
  return findings;
}

async function certificatesIn(file: string): Promise<X509Certificate[]> {
  const text = await readFile(file, "latin1").catch(() => "");
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? [];
  return blocks.flatMap((block) => {
    try {
      return [new X509Certificate(block)];
    } catch {
      return [];
    }
  });
}

/** `said`: also where all is well. */
function expiry(what: string, certificate: X509Certificate, now: number, todo: string, said: boolean): Finding[] {
  const to = certificate.validToDate.getTime();
  const day = new Date(to).toISOString().slice(0, 10);
  const days = Math.floor((to - now) / DAY_MS);
  if (certificate.validFromDate.getTime() > now) {
    const from = certificate.validFromDate.toISOString();
    return [error(`${what} is valid from ${from} on only`, "look at this host's clock, and at the certificate")];
  }
  if (to < now) return [error(`${what} has expired on ${day}`, todo)];
  if (days < ERROR_DAYS) return [error(`${what} expires on ${day}, in ${days} days`, todo)];
  if (days < WARN_DAYS) return [warn(`${what} expires on ${day}, in ${days} days`, todo)];
  return said ? [ok(`${what} is valid until ${day}`)] : [];
}

function nameOf({ subject }: X509Certificate): string {
  return /(?:^|\n)CN=([^\n]*)/.exec(subject)?.[1] ?? subject.replaceAll("\n", ", ");
}
