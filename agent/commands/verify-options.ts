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
  audit-agent verify --unified .                    this project's chain with the dashboard's

Exit codes: 0 valid, 1 broken, 2 could not check.
`;

interface UnifiedFlags {
  readonly unified?: string;
  readonly dashboard?: string;
}

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
    .option("--jobs <number>", "threads that check (default: one for each core; none for what is small)", jobs)
    .option("--all-breaks", "every break, and not only the first")
    .option("--json", "one JSON object")
    .option("--unified <project>", "instead: a project's agent chain and the dashboard's, checked together", word)
    .option("--dashboard <directory>", "with --unified: where the dashboard's logs are", word)
    .addHelpText("after", HELP)
    .action(async (paths: string[], { unified, dashboard, ...options }: Partial<VerifyFlags> & UnifiedFlags) => {
      const { json = false, ...others } = options;
      if (unified !== undefined) {
        if (paths.length > 0 || Object.keys(others).length > 0) {
          program.error("error: --unified takes --dashboard and --json, and nothing else");
        }
        const { verifyUnified } = await import("./verify-unified.ts");
        return done(await verifyUnified(unified, { dashboard, json }, context));
      }
      if (dashboard !== undefined) program.error("error: --dashboard goes with --unified");
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
