/** What doctor sees on the host itself: real files, modes and directories. */
import { chmodSync, mkdirSync, symlinkSync } from "node:fs";
import { expect, test } from "vitest";
import { Checkup, said } from "../../../test/fakes/checkup.ts";
import { checkDataDirectory } from "./data-directory.ts";
import { checkInputs } from "./inputs.ts";
import { checkLimits } from "./limits.ts";
import { checkSecrets } from "./secrets.ts";

test("secrets in the configuration, and who can read it", async () => {
  const checkup = new Checkup();
  const file = checkup.write("key", "k");
  const es = (api_key: string) => ({ outputs: [{ name: "elasticsearch", url: "https://es.example.org", api_key }] });
  expect(said(await checkSecrets(checkup.subject(es(`\${file:${file}}`))))).toEqual([]);
  const subject = checkup.subject(es("hunter2"));
  const private_ = await checkSecrets(subject);
  expect(said(private_)).toEqual([`warn: a secret stands in ${subject.file}: outputs[0].api_key (line 1)`]);
  chmodSync(subject.file, 0o646);
  const open = await checkSecrets(subject);
  expect(said(open)).toEqual([
    `error: others than its owner may write to ${subject.file} (0646)`,
    expect.stringMatching(/^error: a secret stands in .*, which others can read \(0646\): outputs\[0\]\.api_key/),
  ]);
  expect(JSON.stringify([private_, open])).not.toContain("hunter2");
});

test("the data directory: not there, open to others, no directory, a link, too little room", async () => {
  const checkup = new Checkup();
  const at = async (data_dir: string, queue = {}) =>
    said(await checkDataDirectory(checkup.subject({ service: { data_dir, queue } })));
  const ofDisk = (lines: string[]) => lines.filter((line) => !/ lies on | inodes /.test(line));
  const small = { max_bytes: "1MiB", reserve_bytes: "1MiB", segment_bytes: "64KiB" };
  expect(ofDisk(await at("not/yet", small))).toEqual([]);
  mkdirSync(checkup.path("open"), { mode: 0o755 });
  expect(ofDisk(await at("open", small))).toEqual([
    `warn: ${checkup.path("open")} is open to others (0755): the audit log lies in it`,
  ]);
  checkup.write("plain", "");
  expect(await at("plain/data")).toEqual([`error: ${checkup.path("plain")} is not a directory`]);
  symlinkSync(checkup.path("open"), checkup.path("link"));
  expect(await at("link")).toEqual([`error: ${checkup.path("link")} is a symbolic link`]);
  const much = await at("not/yet", { max_bytes: "9000TiB" });
  expect(much).toContainEqual(expect.stringMatching(/^warn: .* are free for .* that may be needed: queue.max_bytes/));
});

test("logs that others may write, directories in which they may exchange them, links", async () => {
  const checkup = new Checkup();
  checkup.write("logs/fine.jsonl", "");
  expect(said(await checkInputs(checkup.subject())).filter((line) => !line.includes("this is root"))).toEqual([]);
  chmodSync(checkup.write("logs/open.jsonl", ""), 0o666);
  symlinkSync(checkup.path("logs/fine.jsonl"), checkup.path("logs/link.jsonl"));
  chmodSync(checkup.path("logs"), 0o777);
  const findings = said(await checkInputs(checkup.subject())).filter((line) => !line.includes("this is root"));
  expect(findings).toEqual([
    `warn: tail: others than their owners may write to ${checkup.path("logs/open.jsonl")} (0666): what they say could be anybody's`,
    `warn: tail: symbolic links are not followed: ${checkup.path("logs/link.jsonl")}`,
    `warn: others than its owner may remove and replace files in ${checkup.path("logs")} (0777): the log could be exchanged as a whole`,
  ]);
  // As /tmp is: everybody may write, and only owners remove.
  chmodSync(checkup.path("logs"), 0o1777);
  expect(said(await checkInputs(checkup.subject())).join()).not.toContain("remove and replace");
});

test("no file yet", async () => {
  const checkup = new Checkup();
  expect(said(await checkInputs(checkup.subject()))).toEqual([
    `warn: tail: no file is there yet (${checkup.path("logs/*.jsonl")})`,
  ]);
});

test.runIf(process.platform === "linux")("limits against what the inputs may need", async () => {
  const checkup = new Checkup();
  for (const folder of "abcdef") checkup.write(`logs/${folder}/a.jsonl`, "");
  const limits = (watches: number, instances: number, files: string) => {
    checkup.write("proc/sys/fs/inotify/max_user_watches", `${watches}\n`);
    checkup.write("proc/sys/fs/inotify/max_user_instances", `${instances}\n`);
    checkup.write("proc/self/limits", `Max open files            1024                 ${files}              files\n`);
    const inputs = [{ name: "tail", path: "logs/**/*.jsonl" }];
    return checkLimits(checkup.subject({ inputs }));
  };
  expect(said(await limits(65_536, 128, "unlimited"))).toEqual([]);
  const few = await limits(3, 4, "1024");
  expect(said(few)).toEqual([
    "error: 7 directories are watched, and fs.inotify.max_user_watches is 3, for all of the user's processes",
    "warn: fs.inotify.max_user_instances is 4, for all of the user's processes",
    "warn: 1024 open files are allowed, and 1280 may be needed (max_open_files of all inputs)",
  ]);
  expect(few.at(-1)!.todo).toContain("LimitNOFILE=2048");
});
