/** Whether what is to be read is there and can be read, and who else could have written it. */
import { constants } from "node:fs";
import { access, lstat, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { dirname } from "node:path";
import { error, type Finding, orOk, type Subject, unknown, warn } from "./check.ts";
import { type FileReader, filesOf, readers } from "./files.ts";
import { modeOf } from "./secrets.ts";

/** So many names are said; of the others only how many there are. */
const NAMED = 5;
/** Looking at each of a hundred thousand files would take its time. */
const MOST = 5_000;

export async function checkInputs({ config }: Subject): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const directories = new Set<string>();
  let count = 0;
  for (const reader of readers(config)) {
    const { files, failed } = await filesOf(reader.settings);
    for (const [path, code] of failed) {
      findings.push(error(`${reader.alias}: ${path} cannot be looked into (${code})`, allow(path, "r-x")));
    }
    if (files.length === 0 && failed.size === 0) {
      const todo = "nothing to do where its writer has not begun yet; else compare `path` with where it writes";
      findings.push(warn(`${reader.alias}: no file is there yet (${reader.settings.path.join(", ")})`, todo));
    }
    findings.push(...(await lookAt(reader, files.slice(0, MOST))));
    for (const file of files.slice(0, MOST)) directories.add(dirname(file));
    count += files.length;
  }
  findings.push(...(await openDirectories(directories)));
  if (process.getuid?.() === 0 && count > 0) {
    const todo = "run doctor as the agent's user: sudo -u audit-agent audit-agent doctor …";
    findings.push(unknown("this is root, who may read everything: whether the agent's user may, is not known", todo));
  }
  return orOk(findings, `${count} files can be read, and nobody but their writers can change them`);
}

async function lookAt({ alias, settings }: FileReader, files: readonly string[]): Promise<Finding[]> {
  const unreadable: string[] = [];
  const open: string[] = [];
  const links: string[] = [];
  for (const file of files) {
    const own = await lstat(file).catch(() => undefined);
    // Gone meanwhile.
    if (own === undefined) continue;
    if (own.isSymbolicLink() && !settings.follow_symlinks) {
      links.push(file);
      continue;
    }
    const target = own.isSymbolicLink() ? await stat(file).catch(() => own) : own;
    if (!(await mayRead(file))) unreadable.push(file);
    if (target.isFile() && (target.mode & 0o022) !== 0) open.push(`${file} (${modeOf(target.mode)})`);
  }
  const findings: Finding[] = [];
  if (unreadable.length > 0) {
    const todo = allow(unreadable[0]!, "r--");
    findings.push(error(`${alias}: ${userInfo().username} may not read ${some(unreadable)}`, todo));
  }
  if (open.length > 0) {
    const what = `${alias}: others than their owners may write to ${some(open)}: what they say could be anybody's`;
    findings.push(
      warn(what, "chmod go-w them, and set the writer's umask to 027; filter `chain` tells what was tampered with"),
    );
  }
  if (links.length > 0) {
    const todo = "name what they lead to, or set follow_symlinks with allowed_roots";
    findings.push(warn(`${alias}: symbolic links are not followed: ${some(links)}`, todo));
  }
  return findings;
}

/** Who may write to a directory may rename and remove what is in it, whoever's it is; not with the sticky bit. */
async function openDirectories(directories: ReadonlySet<string>): Promise<Finding[]> {
  const seen = new Set<string>();
  const open: string[] = [];
  for (const directory of directories) {
    for (let path = directory; !seen.has(path); path = dirname(path)) {
      seen.add(path);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined || (found.mode & 0o1000) !== 0) continue;
      if ((found.mode & 0o022) !== 0) open.push(`${path} (${modeOf(found.mode)})`);
    }
  }
  if (open.length === 0) return [];
  const what = `others than its owner may remove and replace files in ${some(open)}: the log could be exchanged as a whole`;
  return [warn(what, "chmod go-w the directory (or g-w only, where the group is the writers' alone)")];
}

async function mayRead(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

function allow(path: string, rights: string): string {
  return `setfacl -m u:${userInfo().username}:${rights} ${path}, or give the agent's user a group that may (SupplementaryGroups=adm)`;
}

function some(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
