/** How `audit-agent verify` is called. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { SCHEME_NAMES } from "../integrity/scheme.ts";
import type { CommandContext } from "./context.ts";
import type { VerifyFlags } from "./verify.ts";

const HELP = `
Examples:
  audit-agent verify ~/.loki/dashboard/audit        a folder: its files are one chain
  audit-agent verify .loki/audit/audit.jsonl        a file, or several
  audit-agent verify 'archive/**/audit-*.jsonl.gz'  compressed ones too
  zstdcat old.jsonl.zst | audit-agent verify -      standard input

Exit codes: 0 valid, 1 broken, 2 could not check.
`;

export function addVerify(program: Command, context: CommandContext, done: (code: number) => void): void {
  program
    .command("verify")
    .description("check the hash chains of audit logs: nothing changed, removed, added or moved")
    .argument("[paths...]", "files, folders and globs; - is standard input")
    .addOption(new Option("--scheme <name>", "how the entries are chained").choices(["auto", ...SCHEME_NAMES]))
    .option("--hash-field <name>", "the member that holds an entry's hash, where it is not the scheme's own", word)
    .option("--previous-field <name>", "the member that holds the hash before it", word)
    .addOption(
      new Option("--order <name>", "in which order the files were written").choices(["auto", "mtime", "name", "chain"]),
    )
    .addOption(
      new Option("--anchor <where>", "first: from the first hash there is, whatever was before it").choices([
        "genesis",
        "first",
      ]),
    )
    .option("--start-hash <hash>", "the hash before the first entry", word)
    .option("--expect-tip <hash>", "the last entry's hash, or with --expect-entries that entry's", word)
    .option("--expect-entries <number>", "at least so many entries", count)
    .option("--jobs <number>", "threads that check (default: one for each core)", jobs)
    .option("--all-breaks", "every break, and not only the first")
    .option("--json", "one JSON object")
    .addHelpText("after", HELP)
    .action(async (paths: string[], options: Partial<VerifyFlags>) => {
      const { verify } = await import("./verify.ts");
      done(await verify(paths, options, context));
    });
}

function word(text: string): string {
  if (text === "") throw new InvalidArgumentError("must not be empty");
  return text;
}

function jobs(text: string): number {
  const number = count(text);
  if (number < 1 || number > 1024) throw new InvalidArgumentError("must be from 1 to 1024");
  return number;
}

function count(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) throw new InvalidArgumentError("must be a whole number");
  return number;
}
