/** What the configured paths mean at present, for who checks a configuration: names are looked at, no file is opened. */
import { access, constants } from "node:fs/promises";
import { Finder, type FindOptions } from "./find.ts";
import { statPath } from "./open.ts";
import { nodeSystem, type System } from "./system.ts";

/** Path or glob, as configured → a few words on what is there. */
export async function survey(options: FindOptions, system: System = nodeSystem): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const path of options.paths) found.set(path, await lookAt({ ...options, paths: [path] }, system));
  return found;
}

async function lookAt(options: FindOptions, system: System): Promise<string> {
  const finder = new Finder(options, system);
  const { paths, failed } = await finder.list();
  const closed = [...failed].map(([directory, code]) => `${directory} cannot be listed (${code})`);
  let files = 0;
  const left: string[] = [];
  for (const path of paths) {
    const stat = await statPath(path, system).catch(() => undefined);
    if (stat === undefined) continue;
    if (stat.other === "a directory") left.push(`${path} is a directory: its files would be ${path}/*`);
    else if (stat.other && !(stat.other === "a symbolic link" && options.followSymlinks)) {
      left.push(`${path} is ${stat.other}`);
    } else if (await mayRead(path)) files++;
    else left.push(`${path} cannot be read by this user`);
  }
  const [first, ...others] = [...closed, ...left];
  if (first === undefined && files === 0) return await nothing(finder, system);
  const more = others.length === 0 ? "" : ` and ${others.length} more are left out`;
  const count = files === 1 ? "1 file" : `${files.toLocaleString("en-US")} files`;
  return first === undefined ? count : `${count}; ${first}${more}`;
}

/** A directory that is not there may be made tomorrow, or be a slip of the pen. */
async function nothing(finder: Finder, system: System): Promise<string> {
  for (const { base } of finder.bases) {
    const there = await statPath(base, system).catch(() => undefined);
    if (there === undefined) return `nothing there yet: ${base} does not exist`;
  }
  return "nothing there yet";
}

function mayRead(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}
