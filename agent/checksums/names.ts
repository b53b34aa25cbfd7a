/**
 * File names as bytes. Linux allows any but "/" and NUL in them, UTF-8 or not, so a name travels as one latin1 character per byte: it can be
 * compared, sorted and written back exactly.
 */
import { posix } from "node:path";

/** One character for each byte. */
export type ByteName = string;

export function byteName(name: string | Buffer): ByteName {
  return (typeof name === "string" ? Buffer.from(name) : name).toString("latin1");
}

export function textOfName(name: ByteName): string {
  return Buffer.from(name, "latin1").toString("utf8");
}

export function pathOf(directory: string, name: ByteName): Buffer {
  return Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(name, "latin1")]);
}

/** Controls, and what turns the direction of writing: a name must not draw on the terminal of who reads about it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are the ones
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** For people and for one line. */
export function shown(name: ByteName): string {
  return textOfName(name).replace(UNSAFE, (c) => {
    if (c === "\n") return "\\n";
    return `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** What the manifest covers by itself: what `*.log *.jsonl` means to a shell. */
export function isLogName(name: ByteName): boolean {
  return !name.startsWith(".") && /\.(log|jsonl)$/.test(name);
}

/**
 * A name of a manifest as one inside the directory; undefined where it leads out of it. `roots`: absolute paths of the directory, as bytes,
 * for names a script wrote with its own "$DIR" in front.
 */
export function inside(name: ByteName, roots: readonly ByteName[]): ByteName | undefined {
  const normal = posix.normalize(name);
  if (!normal.startsWith("/")) return leadsOut(normal) ? undefined : normal;
  for (const root of roots) {
    const prefix = root.endsWith("/") ? root : `${root}/`;
    if (normal.startsWith(prefix) && !leadsOut(normal.slice(prefix.length))) return normal.slice(prefix.length);
  }
  return undefined;
}

function leadsOut(normal: ByteName): boolean {
  return normal === "" || normal === "." || normal === ".." || normal.startsWith("../") || normal.endsWith("/");
}
