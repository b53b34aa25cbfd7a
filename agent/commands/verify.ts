/** `audit-agent verify`: checks hash chains in files, and says what was found. */
import { verifyPaths } from "../integrity/offline/index.ts";
import { CannotCheck } from "../integrity/offline/problem.ts";
import type { ChainReport, Report } from "../integrity/offline/report.ts";
import type { SchemeName } from "../integrity/scheme.ts";
import { type CommandContext, EXIT } from "./context.ts";
import { Progress } from "./progress.ts";
import { printable } from "./style.ts";
import { describe } from "./verify-report.ts";

export interface VerifyFlags {
  readonly scheme: SchemeName | "auto";
  readonly hashField: string;
  readonly previousField: string;
  readonly order: "auto" | "mtime" | "name" | "chain";
  readonly anchor: "genesis" | "first";
  readonly startHash: string;
  readonly expectTip: string;
  readonly expectEntries: number;
  readonly jobs: number;
  readonly allBreaks: boolean;
  readonly json: boolean;
}

export async function verify(
  paths: readonly string[],
  flags: Partial<VerifyFlags>,
  context: CommandContext,
): Promise<number> {
  if (paths.length === 0) {
    context.err("error: verify what? Name files, folders or globs; - is standard input.\n");
    return EXIT.usage;
  }
  const { json = false, hashField: hash, previousField: previous, ...rest } = flags;
  const progress = new Progress(context);
  try {
    const report = await verifyPaths(paths, {
      ...rest,
      fields: { hash, previous },
      stdin: context.input(),
      progress: (done, of) => progress.show(done, of),
    });
    progress.clear();
    context.out(json ? `${JSON.stringify(asJson(report))}\n` : describe(report, flags, context.terminal));
    await context.drained();
    if (report.reason === "unchained") return EXIT.usage;
    return report.valid ? EXIT.fine : EXIT.failed;
  } catch (error) {
    progress.clear();
    if (!(error instanceof CannotCheck)) throw error;
    context.err(`could not check: ${printable(error.message)}\n`);
    if (json) context.out(`${JSON.stringify({ valid: null, error: error.message })}\n`);
    await context.drained();
    return EXIT.usage;
  }
}

/** Names and their meaning are part of the command's promise. */
function asJson({ chains, ...all }: Report): object {
  return chains.length > 1 ? { ...chainAsJson(all), chains: chains.map(chainAsJson) } : chainAsJson(all);
}

function chainAsJson({ excerpt: _, ...chain }: ChainReport): object {
  return chain;
}
