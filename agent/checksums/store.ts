/** The manifest and its sizes on disk. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, open, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorCode, messageOf, realDisk } from "../state/disk.ts";
import { kindOf } from "./digest.ts";
import {
  formatLine,
  MANIFEST,
  ManifestError,
  type ManifestLine,
  parseManifest,
  parseSizes,
  SIZES,
} from "./manifest.ts";
import type { ByteName } from "./names.ts";

export interface Manifest {
  readonly lines: readonly ManifestLine[];
  /** By `sizeKey`: what lengths a line may be about. Empty where nobody kept them. */
  readonly sizes: ReadonlyMap<string, readonly number[]>;
}

export interface NewLine {
  readonly name: ByteName;
  readonly hash: string;
  readonly size: number;
}

/** Some three million files. */
const MAX_BYTES = 256 * 1024 * 1024;
const MODE = 0o440;

/** Undefined where there is none. Throws a ManifestError where it cannot be read or understood. */
export async function readManifest(directory: string): Promise<Manifest | undefined> {
  const path = join(directory, MANIFEST);
  const text = await readText(path);
  if (text === undefined) return undefined;
  try {
    const lines = parseManifest(text);
    // Without sizes everything can be checked but growth.
    const sizes = await readText(join(directory, SIZES)).catch(() => undefined);
    return { lines, sizes: parseSizes(sizes ?? "") };
  } catch (error) {
    if (error instanceof ManifestError) throw new ManifestError(`${path}: ${error.message}`);
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const before = await lstat(path);
    if (!before.isFile()) throw new ManifestError(`${path} is ${kindOf(before)}, not a file`);
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { size } = await file.stat();
      if (size > MAX_BYTES)
        throw new ManifestError(`${path} has ${size} bytes, more than the ${MAX_BYTES} it may have`);
      return await file.readFile("latin1");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (error instanceof ManifestError) throw error;
    throw new ManifestError(messageOf(error));
  }
}

/**
 * After any crash either the old manifest is there or the new one, and the sizes of whichever it is: those of the old lines stay beside the
 * new ones until the next time.
 */
export async function writeManifest(
  directory: string,
  lines: readonly NewLine[],
  old: Manifest | undefined,
): Promise<void> {
  const sizes = new Set(lines.map(({ name, hash, size }) => `${size} ${formatLine(name, hash)}`));
  for (const { name, hash } of old?.lines ?? []) {
    for (const size of old?.sizes.get(`${hash} ${name}`) ?? []) sizes.add(`${size} ${formatLine(name, hash)}`);
  }
  await replace(join(directory, SIZES), [...sizes]);
  await realDisk.syncDirectory(directory);
  await replace(
    join(directory, MANIFEST),
    lines.map(({ name, hash }) => formatLine(name, hash)),
  );
  await realDisk.syncDirectory(directory);
}

async function replace(path: string, lines: readonly string[]): Promise<void> {
  // A name nobody else has: two that write at the same time must not finish each other's file.
  const temporary = `${path}.${randomBytes(8).toString("hex")}`;
  const file = await open(
    temporary,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    try {
      await file.writeFile(lines.map((line) => `${line}\n`).join(""), "latin1");
      await file.chmod(MODE);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await realDisk.remove(temporary);
    throw error;
  }
}
