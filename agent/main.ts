/** argv → command. The only file that names the registries; whatever is heavy is imported by the command that needs it. */
import { Command, CommanderError, Option } from "commander";
import { didYouMean } from "../config/suggest.ts";
import about from "../package.json" with { type: "json" };
import type { Registries } from "./api/plugin.ts";
import { type CommandContext, EXIT } from "./commands/context.ts";
import { addDoctor } from "./commands/doctor-options.ts";
import { addLetters, addQueue } from "./commands/letters-options.ts";
import { addOperate } from "./commands/operate-options.ts";
import { openScreen } from "./commands/screen.ts";
import { addVerify } from "./commands/verify-options.ts";

const HELP = `
Examples:
  audit-agent validate -c pipeline.yaml             check, start nothing
  audit-agent validate -c pipeline.yaml --connect   and ask every destination
  audit-agent --config pipeline.yaml                run until stopped
  audit-agent run --once -c pipeline.yaml           ship what is there, then exit
  audit-agent status -c pipeline.yaml               how the running agent is
  audit-agent quickstart                            try it, without a server

A smallest pipeline.yaml:
  pipeline:
    inputs:
      - { name: tail, path: /var/log/audit/*.jsonl }
    outputs:
      - { name: elasticsearch, url: http://localhost:9200 }

Exit codes: 0 fine, 1 failed while running, 2 wrong usage or configuration.
`;

async function registries(): Promise<Registries> {
  const [{ inputs }, { filters }, { outputs }] = await Promise.all([
    import("../inputs/registry.ts"),
    import("../filters/registry.ts"),
    import("../outputs/registry.ts"),
  ]);
  return { inputs, filters, outputs };
}

function commandLine(context: CommandContext, done: (code: number) => void): Command {
  const program = new Command("audit-agent")
    .description("Ships audit logs crash-safely: nothing lost, nothing twice, every byte as written.")
    .version(about.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .exitOverride()
    .showSuggestionAfterError()
    .showHelpAfterError("Try audit-agent --help.")
    .enablePositionalOptions()
    .helpCommand("help [command]", "print the help of a command")
    .addHelpText("after", HELP);
  // Not mandatory to commander, which would complain of that before it says that --confg is unknown.
  const config = () => new Option("-c, --config <file>", "the configuration, YAML");

  program
    .command("run", { isDefault: true })
    .description("run the pipeline until it is stopped (what a bare --config does)")
    .addOption(config())
    .option("--once", "read everything to its end, deliver it, and exit")
    .action(async (options: WithConfig & { once?: boolean }) => {
      const { run } = await import("./commands/run.ts");
      done(await run(configOf(options, program), { once: options.once === true }, context));
    });

  program
    .command("validate")
    .description("do everything run does before its first read, and say what would happen")
    .addOption(config())
    .option("--connect", "also ask every destination whether it would take entries")
    .action(async (options: WithConfig & { connect?: boolean }) => {
      const { validate } = await import("./commands/validate.ts");
      done(await validate(configOf(options, program), { connect: options.connect === true }, context));
    });

  program
    .command("quickstart")
    .description("try it: ship sample entries, and your own if there are any, into a local archive")
    .option("--dir <directory>", "where everything is kept", ".audit-agent/quickstart")
    .option("--once", "ship what is there, and exit")
    .action(async (options: { dir: string; once?: boolean }) => {
      const { quickstart } = await import("./commands/quickstart.ts");
      done(await quickstart(options.dir, { once: options.once === true }, context));
    });

  addOperate(program, context, done);

  addQueue(program, context, done, (options) => configOf(options, program));
  addLetters(program, context, done, (options) => configOf(options, program));
  addDoctor(program, context, done, (options) => configOf(options, program));
  addVerify(program, context, done);

  program
    .command("checksums")
    .description(
      "check a directory's *.log and *.jsonl against its .checksums, or record them (readable by sha256sum -c)",
    )
    .argument("[verify|update]", "verify is what happens unless told")
    .argument("[directory]")
    .option("--json", "one JSON object")
    .option("--webhook <url>", "post an alert there for each file altered or missing (default: $ALERT_WEBHOOK_URL)")
    .option("--allow-missing", "update: let go of files that are gone, as a rotation's oldest are")
    .option("--force", "update: record also what was altered, as it is now")
    .action(async (first: string | undefined, second: string | undefined, options: ChecksumOptions) => {
      const { checksums, checksumWords } = await import("./commands/checksums.ts");
      const words = checksumWords(first, second);
      if (words === undefined)
        return void program.error("error: which directory? audit-agent checksums [verify|update] DIRECTORY");
      const { json = false, force = false, allowMissing = false } = options;
      const webhook = options.webhook ?? process.env.ALERT_WEBHOOK_URL;
      const flags = { json, force, allowMissing, webhook: webhook || undefined };
      done(await checksums(words.verb, words.directory, flags, context));
    });

  program
    .command("healthcheck")
    .description("ask the agent that runs here whether it is alive: exit 0 or 1 (what a container's HEALTHCHECK runs)")
    .option(
      "--url <url>",
      "ask there (default: the socket in /var/lib/audit-agent, else http://127.0.0.1:2020/healthz)",
    )
    .action(async (options: { url?: string }) => {
      const { healthcheck } = await import("./commands/healthcheck.ts");
      done(await healthcheck(options.url, context));
    });

  program
    .command("docs")
    .description("write docs/reference and config/schema.json (for who works on audit-agent itself)")
    .option("--dir <directory>", "the checkout", ".")
    .action(async (options: { dir: string }) => {
      const { writeDocs } = await import("./commands/docs.ts");
      done(await writeDocs(options.dir, context));
    });
  return program;
}

interface WithConfig {
  readonly config?: string;
}

interface ChecksumOptions {
  readonly json?: boolean;
  readonly webhook?: string;
  readonly allowMissing?: boolean;
  readonly force?: boolean;
}

function configOf({ config }: WithConfig, program: Command): string {
  return config || program.error("error: which configuration? Say --config FILE");
}

/** A first word that is no command would be taken for an argument of `run`. */
function unknownCommand(program: Command, word: string): string | undefined {
  const known = [...program.commands.map((command) => command.name()), "help"];
  if (word.startsWith("-") || known.includes(word)) return undefined;
  return `error: unknown command ${JSON.stringify(word)}${didYouMean(word, known)}\nTry audit-agent --help.\n`;
}

/** Resolves as well where the reader has gone. */
async function drained(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return;
  await new Promise<void>((resolve) => stream.write("", () => resolve()));
}

async function main(): Promise<number> {
  // A reader that has gone (`| head`) is no error of ours.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  const context: CommandContext = {
    registries,
    version: about.version,
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    input: () => process.stdin,
    terminal: {
      columns: process.stdout.isTTY ? process.stdout.columns : undefined,
      colours: process.stdout.isTTY && !process.env.NO_COLOR && process.env.TERM !== "dumb",
      drawable: process.stderr.isTTY && process.env.TERM !== "dumb",
    },
    screen: () => {
      const { stdin, stdout } = process;
      return stdin.isTTY && stdout.isTTY && process.env.TERM !== "dumb" ? openScreen(stdin, stdout) : undefined;
    },
    drained: () => drained(process.stdout),
  };
  let code: number = EXIT.fine;
  const program = commandLine(context, (result) => {
    code = result;
  });
  if (process.argv.length <= 2) {
    context.err(program.helpInformation() + HELP);
    return EXIT.usage;
  }
  const unknown = unknownCommand(program, process.argv[2]!);
  if (unknown !== undefined) {
    context.err(unknown);
    return EXIT.usage;
  }
  try {
    await program.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? EXIT.fine : EXIT.usage;
  }
  return code;
}

// Some libraries keep sockets open for a while after they are closed; the work is done.
process.exit(await main());
