/** Limits of the system and of the process, against what the configuration may need. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { error, type Finding, ok, orOk, type Subject, unknown, warn } from "./check.ts";
import { filesOf, readers } from "./files.ts";

/** Beside the inputs' files: the queue, connections, libraries. */
const OTHER_FILES = 256;
/** Of inotify instances one is this agent's; the limit is for all processes of a user. */
const FEW_INSTANCES = 16;

export async function checkLimits(subject: Subject): Promise<readonly Finding[]> {
  if (process.platform !== "linux") return [unknown("the limits of this system are not known here")];
  return [...(await watches(subject)), ...(await openFiles(subject))];
}

async function watches({ config, system }: Subject): Promise<readonly Finding[]> {
  const watched = readers(config).filter(({ settings }) => settings.watch !== "poll");
  if (watched.length === 0) return [];
  let directories = 0;
  for (const { settings } of watched) directories += (await filesOf(settings)).directories.length;
  const [most, instances] = await Promise.all(
    ["max_user_watches", "max_user_instances"].map((name) => number(join(system.proc, "sys/fs/inotify", name))),
  );
  const findings: Finding[] = [];
  if (most === undefined || instances === undefined) return [unknown("the limits of inotify cannot be read here")];
  const what = `${directories} directories are watched, and fs.inotify.max_user_watches is ${most}, for all of the user's processes`;
  const todo = `sysctl fs.inotify.max_user_watches=${Math.max(524_288, 4 * directories)} (and in /etc/sysctl.d), or watch: poll`;
  if (directories > most) findings.push(error(what, todo));
  else if (directories > most / 2) findings.push(warn(what, todo));
  if (instances < FEW_INSTANCES) {
    const instead = "sysctl fs.inotify.max_user_instances=512 (and in /etc/sysctl.d)";
    findings.push(warn(`fs.inotify.max_user_instances is ${instances}, for all of the user's processes`, instead));
  }
  return orOk(findings, `${directories} of ${most} watches needed for directories`);
}

async function openFiles({ config, system }: Subject): Promise<readonly Finding[]> {
  const needed = readers(config).reduce((sum, { settings }) => sum + settings.max_open_files, 0) + OTHER_FILES;
  const limits = await readFile(join(system.proc, "self/limits"), "utf8").catch(() => "");
  const [, soft, hard] = /^Max open files\s+(\S+)\s+(\S+)/m.exec(limits) ?? [];
  if (soft === undefined) return [unknown("the limit of open files cannot be read here")];
  // Node raises the soft limit to the hard one when it starts.
  const most = hard === "unlimited" ? Number.POSITIVE_INFINITY : Number(hard);
  if (most >= needed)
    return [
      ok(
        `${most === Number.POSITIVE_INFINITY ? "any number of" : most} open files are allowed, ${needed} may be needed`,
      ),
    ];
  const todo = `LimitNOFILE=${2 ** Math.ceil(Math.log2(needed))} in the service's unit (ulimit -n), or a lower max_open_files of the inputs`;
  return [warn(`${most} open files are allowed, and ${needed} may be needed (max_open_files of all inputs)`, todo)];
}

async function number(path: string): Promise<number | undefined> {
  const text = await readFile(path, "utf8").catch(() => undefined);
  return text === undefined ? undefined : Number(text);
}
