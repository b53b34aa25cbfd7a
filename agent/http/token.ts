/** The secret that opens the operating interface over HTTP: made once, in a file that only the agent's user can read. */
import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { chmod } from "node:fs/promises";
import { join } from "node:path";
import { readSmall, realDisk, writeSmall } from "../state/disk.ts";

const FILE = "http-token";
const TOKEN = /^[\w-]{43}$/;

/** Reads it, or makes it. What is no token (empty, edited) is replaced. */
export async function openToken(dataDir: string): Promise<string> {
  const path = join(dataDir, FILE);
  const kept = (await readSmall(realDisk, path, 4096))?.toString().trim();
  if (kept !== undefined && TOKEN.test(kept)) {
    await chmod(path, 0o600);
    return kept;
  }
  const token = randomBytes(32).toString("base64url");
  await writeSmall(realDisk, path, Buffer.from(`${token}\n`));
  return token;
}

/** Whether an Authorization header carries the token. Takes as long for a wrong one as for the right one. */
export function isAuthorized(header: string | undefined, token: string): boolean {
  const [, given] = /^Bearer ([\x21-\x7e]{1,256})$/i.exec(header ?? "") ?? [];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
