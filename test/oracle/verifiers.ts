import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { type VerifyOptions, verifyPaths } from "../../agent/integrity/offline/index.ts";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import type { Answer } from "./answer.ts";
import type { GeneratedCase } from "./generated.ts";
import { walk } from "./walk.ts";

interface Verifier {
  readonly name: string;
  /** It finds out itself in which order the files were written; else it is told. */
  readonly findsOrder: boolean;
  /** Of so many cases only one: it takes its time. */
  readonly oneOf: number;
  /** Verifies the files in a case's folder, whose modification times are those the case says. Undefined: not one for it. */
  verify(about: GeneratedCase, folder: string): Promise<Answer | undefined>;
}

/** All that is held against the generated chains: whoever verifies is named here, and nowhere else. */
export const VERIFIERS: readonly Verifier[] = [
  { name: "ChainReader and Judge", findsOrder: false, oneOf: 1, verify: walked },
  {
    name: "verifyPaths, which finds out the scheme",
    findsOrder: true,
    oneOf: 1,
    // Where no line shows a scheme, there is no telling a broken chain from none.
    verify: async (about, folder) => (about.recognisable ? offline(about, folder, { jobs: 1 }) : undefined),
  },
  {
    name: "verifyPaths, in ranges of a few entries",
    findsOrder: true,
    oneOf: 1,
    verify: (about, folder) => offline(about, folder, { ...schemeFor(about), jobs: 1, rangeSize: 700 }),
  },
  {
    name: "verifyPaths, in threads",
    findsOrder: true,
    oneOf: 25,
    verify: (about, folder) => offline(about, folder, { ...schemeFor(about), jobs: 2, rangeSize: 2_000 }),
  },
  { name: "audit-agent verify --json", findsOrder: true, oneOf: 40, verify: command },
];

async function walked(about: GeneratedCase, folder: string): Promise<Answer> {
  return walk(
    schemeOf(about.scheme, { hash: about.hash_key }),
    about.files_oldest_first.map((name) => ({ name, bytes: readFileSync(join(folder, name)) })),
  );
}

function schemeFor({ scheme, hash_key: hash }: GeneratedCase): VerifyOptions {
  return { scheme, fields: { hash } };
}

/** The dashboard's is a folder; of the others each file is named. */
function pathsOf({ scheme, files_oldest_first: files }: GeneratedCase, folder: string): string[] {
  return scheme === "loki-dashboard" ? [folder] : files.map((name) => join(folder, name));
}

async function offline(about: GeneratedCase, folder: string, options: VerifyOptions): Promise<Answer> {
  return named(await verifyPaths(pathsOf(about, folder), { ...options, allBreaks: true }));
}

async function command(about: GeneratedCase, folder: string): Promise<Answer> {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      join(import.meta.dirname, "../../agent/main.ts"),
      ...["verify", "--json", "--all-breaks", "--scheme", about.scheme, "--hash-field", about.hash_key],
      ...pathsOf(about, folder),
    ],
    { encoding: "utf8" },
  );
  const answer = JSON.parse(stdout || "null") as Answer | null;
  const expected = answer?.valid === true ? 0 : 1;
  // Files without any hash could not be checked: no answer in the reference's sense.
  const unchained = status === 2 && answer?.files_checked === 0;
  if (answer === null || (status !== expected && !unchained))
    throw new Error(`case ${about.case}: exit ${status}, ${stdout}${stderr}`);
  return named(answer);
}

/** Files by their names alone. */
function named(answer: Answer): Answer {
  const name = (path: string | null) => path && basename(path);
  return {
    ...answer,
    first_tampered_file: name(answer.first_tampered_file),
    genesis_file: name(answer.genesis_file),
    breaks: answer.breaks.map((each) => ({ ...each, file: basename(each.file) })),
  };
}
