/** The live page's files, as they were built. All of them are read at the start and served by their exact name: no request reaches the disk. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join } from "node:path";

export interface PageFile {
  readonly body: Buffer;
  readonly type: string;
  /** Its name has its content's hash. */
  readonly immutable: boolean;
}

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
};

/** In a checkout, beside the bundle, or nowhere: then the agent runs without the page. */
const PLACES = ["../../dist/web", "./web", "../web"];

/** By path. Empty where the page was not built. */
export function pageFiles(from = import.meta.dirname): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  const root = PLACES.map((place) => join(from, place)).find((place) => existsSync(join(place, "index.html")));
  if (root === undefined) return files;
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" })) {
    const type = TYPES[extname(name)];
    if (type === undefined) continue;
    const path = `/${name.replaceAll("\\", "/")}`;
    files.set(path, { body: readFileSync(join(root, name)), type, immutable: path.startsWith("/assets/") });
  }
  const index = files.get("/index.html");
  if (index) files.set("/", index);
  return files;
}
