/** A directory of logs with its manifest, and what is found in it. */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { check } from "../../agent/checksums/check.ts";
import { shown } from "../../agent/checksums/names.ts";
import { readManifest, writeManifest } from "../../agent/checksums/store.ts";

export let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "checksums-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

export const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
export const sha = (text: string) => createHash("sha256").update(text).digest("hex");
export const manifest = (text: string) => write(".checksums", text);

/** `state: name (why)`, sorted by name. */
export async function found(): Promise<string[]> {
  const { findings } = await check(dir, await readManifest(dir), { hashNew: false });
  return findings.map(({ name, state, why }) => `${state} ${shown(name)}${why === undefined ? "" : ` (${why})`}`);
}

export async function record(): Promise<void> {
  const old = await readManifest(dir);
  const { now } = await check(dir, old, { hashNew: true });
  await writeManifest(dir, now, old);
}
