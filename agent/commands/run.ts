/** `audit-agent run`: the pipeline, its signals, and what is said at its start and end. */
import { sep } from "node:path";
import type { LoadedConfig } from "../../config/load.ts";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { PipelineStatus } from "../api/status.ts";
import { bytes, type CommandContext, EXIT, load, messageOf } from "./context.ts";
import { summary } from "./summary.ts";

export interface RunFlags {
  /** Read everything to its end, deliver it, and exit. */
  readonly once: boolean;
}

export async function run(file: string, flags: RunFlags, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  return loaded === undefined ? EXIT.usage : runPipeline(loaded, flags, context);
}

export interface Listening {
  /** Sees every event beside the log. */
  readonly watch?: Emit;
  /** Instead of the summary and the ledger in the log's own form. */
  readonly quiet?: boolean;
}

export async function runPipeline(
  loaded: LoadedConfig,
  flags: RunFlags,
  context: CommandContext,
  { watch, quiet = false }: Listening = {},
): Promise<number> {
  const [{ createTelemetry }, { startPipeline }] = await Promise.all([
    import("../telemetry/index.ts"),
    import("../pipeline/run.ts"),
  ]);
  const { config } = loaded;
  const { log_level: level, log_format: format, http } = config.service;
  const { version } = context;
  const telemetry = createTelemetry({ level, format, clock: systemClock, version });
  const emit: Emit = (event) => {
    telemetry.emit(event);
    watch?.(event);
  };
  const say = (message: string) => emit({ is: "notice", level: "info", component: "agent", message });
  // Plain text where people read along, log lines where a machine does.
  const plain = !quiet && level !== "silent" && (format === "pretty" || (format === "auto" && process.stderr.isTTY));

  const signals = listenForSignals(say);
  const awake = keepAwake();
  let server: { readonly address: string; close(): Promise<void> } | undefined;
  try {
    if (http) {
      // Where both are taken, the other agent is what to say, and not that it listens.
      const { refuseBusy } = await import("../state/data-dir.ts");
      await refuseBusy(config.service.data_dir);
      const { startHttp } = await import("../telemetry/http.ts");
      server = await startHttp(http.listen, telemetry);
    }
    const pipeline = await startPipeline(config, {
      telemetry: { emit, observe: (status) => telemetry.observe(status) },
      once: flags.once,
      clock: systemClock,
      version,
    });
    if (plain) context.err(summary(loaded));
    if (!quiet) {
      say(`audit-agent ${version} reads ${aliases(config.inputs)} and writes to ${aliases(config.outputs)}`);
      if (server) say(`health and metrics at ${server.address}`);
    }
    const gone = readerGone(config);
    const abandoned = await Promise.race([pipeline.done, signals.asked, gone.promise]);
    gone.close();
    let failed = pipeline.failed;
    if (abandoned === true) {
      failed = true;
      const message =
        "nobody reads standard output any more, and nothing else is written to: stopping; what waits stays in the queue";
      emit({ is: "notice", level: "error", component: "agent", message });
    }
    try {
      await pipeline.stop();
    } catch (error) {
      failed = true;
      emit({ is: "notice", level: "error", component: "agent", message: `stopping: ${messageOf(error)}` });
    }
    failed ||= pipeline.failed;
    // What the log held back comes before the ledger, which is the last thing said.
    await telemetry.close();
    await tellLedger(pipeline.status(), plain, quiet ? undefined : say, context);
    return failed ? EXIT.failed : EXIT.fine;
  } catch (error) {
    const unusable = isUnusable(error, config.service.data_dir);
    const where = unusable ? `service.data_dir: ${config.service.data_dir} cannot be used by this user: ` : "";
    context.err(`audit-agent cannot start: ${where}${messageOf(error)}\n`);
    return unusable || isUsage(error) ? EXIT.usage : EXIT.failed;
  } finally {
    signals.close();
    awake.release();
    await server?.close();
    await telemetry.close();
  }
}

/** Where standard output is the only destination and its reader has gone (`| head`), nothing is left to do and nothing will come back. */
function readerGone({ outputs }: ResolvedConfig): { readonly promise: Promise<true>; close(): void } {
  const { promise, resolve } = Promise.withResolvers<true>();
  const onError = () => resolve(true);
  if (outputs.every(({ definition }) => definition.name === "stdout")) process.stdout.on("error", onError);
  return { promise, close: () => void process.stdout.off("error", onError) };
}

/** Where every entry went: the last thing said. */
async function tellLedger(
  { outputs, lostAtInputBytes }: PipelineStatus,
  plain: boolean,
  say: ((message: string) => void) | undefined,
  context: CommandContext,
): Promise<void> {
  // No ledger has it: how many entries it held nobody knows.
  const vanished =
    lostAtInputBytes > 0
      ? `${bytes(lostAtInputBytes)} vanished from files before they could be read, in the last 30 days; the log says which`
      : "";
  if (plain) {
    if (vanished !== "") context.err(`${vanished}\n`);
    const { formatLedger } = await import("../telemetry/ledger.ts");
    context.err(`${formatLedger(outputs)}\n`);
    return;
  }
  if (say === undefined) return;
  if (vanished !== "") say(vanished);
  const { imbalance } = await import("../api/status.ts");
  for (const { alias, ledger: l } of outputs) {
    const off = imbalance(l);
    say(
      `${alias}: read ${l.read} + created ${l.created} = filtered ${l.filtered} + delivered ${l.delivered} + rejected ${l.rejected}` +
        ` + lost ${l.lost} + queued ${l.queued}${off === 0 ? "" : `; ${Math.abs(off)} ${off > 0 ? "unaccounted for" : "counted twice"}`}`,
    );
  }
}

function aliases(parts: readonly { readonly alias: string }[]): string {
  return parts.map(({ alias }) => alias).join(", ");
}

/** The first signal stops in good order; the second ends at once, which loses nothing either: the queue is crash-safe. */
function listenForSignals(say: (message: string) => void): { readonly asked: Promise<void>; close(): void } {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let first: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = systemClock.monotonic();
    if (first !== undefined && now - first < SAME_SIGNAL_MS) return;
    if (first !== undefined) process.exit(EXIT.failed);
    first = now;
    say(`${signal}: stopping; once more to stop at once`);
    resolve();
  };
  // A terminal that closes ends what it started; from anybody else the signal means "reload", and must not end the agent.
  const onHangUp = () => {
    if (process.stdin.isTTY) onSignal("SIGHUP");
    else say("SIGHUP: the configuration is read at start only; restart to apply changes");
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on("SIGHUP", onHangUp);
  return {
    asked,
    close() {
      process.off("SIGHUP", onHangUp);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

// Waiting for files and signals alone does not keep a process alive.
function keepAwake(): { release(): void } {
  let timer: NodeJS.Timeout;
  const again = () => {
    timer = setTimeout(again, 3_600_000);
  };
  again();
  return { release: () => clearTimeout(timer) };
}

// Ctrl-C under npm arrives twice: from the terminal, and passed on by npm.
const SAME_SIGNAL_MS = 500;
const SIGNALS = ["SIGTERM", "SIGINT"] as const;

// A data directory that is busy or unusable, or an address that is taken, is for the operator to set right.
function isUsage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return USAGE_ERRORS.has(error.name) || /\bservice\.\w/.test(error.message);
}

/** Some part of the data directory that the system does not let this user have: rights, or a file system that is read-only. */
function isUnusable(error: unknown, dataDir: string): boolean {
  if (!(error instanceof Error)) return false;
  const { code = "", path = "" } = error as NodeJS.ErrnoException;
  return ["EACCES", "EPERM", "EROFS"].includes(code) && (path === dataDir || path.startsWith(dataDir + sep));
}

const USAGE_ERRORS: ReadonlySet<string> = new Set([
  "DataDirBusyError",
  "DataDirError",
  "QueueKeyError",
  "NewerFormatError",
]);
