/** `audit-agent run`: the pipeline, its signals, and what is said at its start and end. */
import { sep } from "node:path";
import type { LoadedConfig } from "../../config/load.ts";
import { systemClock } from "../api/clock.ts";
import type { ResolvedConfig } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { PipelineStatus } from "../api/status.ts";
import { bytes, type CommandContext, EXIT, load, messageOf } from "./context.ts";
import { keysOf } from "./keys.ts";
import { keepAwake, listenForSignals } from "./signals.ts";
import { summary } from "./summary.ts";

export interface RunFlags {
  /** Read everything to its end, deliver it, and exit. */
  readonly once: boolean;
}

export async function run(file: string, flags: RunFlags, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const [{ loadConfig }, registries] = await Promise.all([import("../../config/load.ts"), context.registries()]);
  return runPipeline(loaded, flags, context, { reload: () => loadConfig(file, registries) });
}

export interface Listening {
  /** Sees every event beside the log. */
  readonly watch?: Emit;
  /** Instead of the summary and the ledger in the log's own form. */
  readonly quiet?: boolean;
  /** Told where the live page is, with its token. */
  readonly page?: (url: string) => void;
  /** Loads the configuration again; without it the one there is. */
  readonly reload?: () => LoadedConfig;
}

export async function runPipeline(
  loaded: LoadedConfig,
  flags: RunFlags,
  context: CommandContext,
  { watch, quiet = false, page, reload }: Listening = {},
): Promise<number> {
  const [{ createTelemetry }, { startPipeline }, { Control }, { Doors }] = await Promise.all([
    import("../telemetry/index.ts"),
    import("../pipeline/run.ts"),
    import("../control/control.ts"),
    import("../http/operate.ts"),
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

  const control = new Control({ telemetry, clock: systemClock, emit, load: reload ?? (() => loaded), keys: keysOf });
  const doors = new Doors(control, emit);
  const reloadFor = (actor: string, from: string) => {
    control.reload({ actor, from }, { unprobed: false }).catch((error: unknown) => {
      emit({ is: "notice", level: "error", component: "agent", message: `reload: ${messageOf(error)}` });
    });
  };
  const signals = listenForSignals(say, () => reloadFor("SIGHUP", "signal"));
  const awake = keepAwake();
  let watched: { close(): void } | undefined;
  try {
    if (http) {
      // Where both are taken, the other agent is what to say, and not that it listens.
      const { refuseBusy } = await import("../state/data-dir.ts");
      await refuseBusy(config.service.data_dir);
      await doors.begin(config.service);
    }
    const pipeline = await startPipeline(config, {
      telemetry: { emit, observe: (status) => telemetry.observe(status) },
      once: flags.once,
      clock: systemClock,
      version,
    });
    control.attach(pipeline);
    await doors.open(pipeline.around.store.dataDir.path);
    if (doors.pageUrl !== undefined) page?.(doors.pageUrl);
    if (config.service.watch_config && !flags.once) {
      const { watchConfig } = await import("../control/config-watch.ts");
      watched = watchConfig(config.file, () => reloadFor("watch_config", "file"));
    }
    if (plain) context.err(summary(loaded));
    if (!quiet) {
      say(`audit-agent ${version} reads ${aliases(config.inputs)} and writes to ${aliases(config.outputs)}`);
      if (doors.http) say(told(doors.http));
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
    watched?.close();
    control.close();
    await doors.close();
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

function told({ address, probes }: { readonly address: string; readonly probes: string | undefined }): string {
  const also = probes === undefined ? "" : `; health checks and metrics also at ${probes}`;
  return `the page, health and metrics at ${address}${also}`;
}

function aliases(parts: readonly { readonly alias: string }[]): string {
  return parts.map(({ alias }) => alias).join(", ");
}

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
