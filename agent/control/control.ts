/** What may be asked of a running agent. Every change is said in the log and is an audit entry of its own. */
import { join } from "node:path";
import type { LoadedConfig } from "../../config/load.ts";
import { ConfigError, formatProblem } from "../../config/problems.ts";
import type { RecordBatch } from "../api/batch.ts";
import type { Clock } from "../api/clock.ts";
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type {
  HistoryView,
  LettersChosen,
  LettersDone,
  LettersView,
  OrphanDropped,
  PauseDone,
  PipelineView,
  ReloadReport,
} from "../api/operate.ts";
import { batchesOf } from "../pipeline/letters.ts";
import type { RunningPipeline } from "../pipeline/run.ts";
import { type DeadLetter, readDeadLetters } from "../queue/dead-letters.ts";
import { createHistory, type History } from "../telemetry/history.ts";
import type { Telemetry } from "../telemetry/index.ts";
import { pipelineView } from "../telemetry/view.ts";
import { chooser, type LettersAsked, lettersView } from "./letters.ts";
import { OPERATOR_TAG, type Operator, type OperatorAction, operatorEntry } from "./operator.ts";

/** The asker's mistake, or a state in which it cannot be done; `status` as of HTTP. */
export class RefusedError extends Error {
  readonly status: 400 | 404 | 409 | 503;

  constructor(status: 400 | 404 | 409 | 503, message: string) {
    super(message);
    this.name = "RefusedError";
    this.status = status;
  }
}

export interface ControlParts {
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly emit: Emit;
  /** Reads the configuration anew; throws a ConfigError. */
  load(): LoadedConfig | Promise<LoadedConfig>;
  /** Keys that dead letters may be encrypted with. */
  keys(service: ServiceOptions): { readonly key?: Buffer | undefined; readonly previousKeys?: readonly Buffer[] };
}

export class Control {
  readonly #parts: ControlParts;
  readonly #history: History;
  #running: RunningPipeline | undefined;
  #lastReload: ReloadReport | null = null;

  constructor(parts: ControlParts) {
    this.#parts = parts;
    const { clock, telemetry } = parts;
    this.#history = createHistory({ clock, status: () => this.#running?.status(), counter: telemetry.counter });
  }

  /** The pipeline has started. */
  attach(pipeline: RunningPipeline): void {
    this.#running = pipeline;
  }

  /** Where its HTTP server listens. */
  http: string | null = null;

  get isAttached(): boolean {
    return this.#running !== undefined;
  }

  get #pipeline(): RunningPipeline {
    if (this.#running === undefined) throw new RefusedError(503, "the agent is starting");
    return this.#running;
  }

  get telemetry(): Telemetry {
    return this.#parts.telemetry;
  }

  /** From now on somebody may want to see the last hour. */
  watch(): void {
    this.#history.start();
  }

  view(): PipelineView {
    const { telemetry, clock } = this.#parts;
    const pipeline = this.#pipeline;
    const { user, system } = process.cpuUsage();
    return pipelineView(pipeline.status(), telemetry.health(), telemetry.counter, {
      now: clock.now(),
      node: pipeline.around.store.dataDir.node,
      pid: process.pid,
      config: pipeline.config.file,
      http: this.http,
      process: { cpu_seconds: (user + system) / 1e6, resident_bytes: process.memoryUsage.rss() },
      lastReload: this.#lastReload,
    });
  }

  history(): HistoryView {
    return this.#history.view();
  }

  /** Tells of each batch on its way into the queue; answers what ends it. */
  tap(listener: (batch: RecordBatch) => void): () => void {
    return this.#pipeline.around.taps.add(listener);
  }

  async reload(operator: Operator, { unprobed }: { readonly unprobed: boolean }): Promise<ReloadReport> {
    const { clock, emit } = this.#parts;
    const pipeline = this.#pipeline;
    const at = new Date(clock.now()).toISOString();
    const by = `${operator.actor} (${operator.from})`;
    let report: ReloadReport;
    try {
      const { config } = await this.#parts.load();
      report = { at, by, ...(await pipeline.reload(config, { unprobed })) };
    } catch (error) {
      report = { at, by, applied: false, changes: [], kept: 0, problems: problemsOf(error, pipeline.config.file) };
    }
    this.#lastReload = report;
    const { applied, changes, kept, problems } = report;
    emit({ is: "reload", applied, by, changes, kept, problems });
    const message = applied ? "reloaded the configuration" : "tried to reload the configuration; nothing was changed";
    await this.#tell({ action: "reload", operator, details: { applied, changes, kept, problems }, message });
    return report;
  }

  async pause(alias: string, paused: boolean, operator: Operator): Promise<PauseDone> {
    const pipeline = this.#pipeline;
    // It would never end.
    if (paused && pipeline.around.once) throw new RefusedError(409, "this run ends by itself: nothing can be paused");
    const action = paused ? "pause" : "resume";
    const reason = `paused by ${operator.actor} (${operator.from}); what comes waits in the queue`;
    const known = await pipeline.pause(alias, paused ? reason : undefined);
    if (!known) throw new RefusedError(404, `no output is called ${alias}`);
    await this.#tell({
      action: `output.${action}`,
      operator,
      details: { output: alias },
      message: `${action}d the output ${alias}`,
    });
    return { alias, paused };
  }

  letters(asked: LettersAsked): Promise<LettersView> {
    return lettersView(this.#read(), asked);
  }

  #read(): AsyncIterable<DeadLetter> {
    const { keys } = this.#parts;
    const pipeline = this.#pipeline;
    const { path } = pipeline.around.store.dataDir;
    return readDeadLetters({ dir: join(path, "dead-letters"), ...keys(pipeline.config.service) });
  }

  /** Puts letters back into the queue, each for its output alone, under the id it had. */
  async replay(chosen: LettersChosen, operator: Operator): Promise<LettersDone> {
    const { emit } = this.#parts;
    const pipeline = this.#pipeline;
    const { queue, deadLetters } = pipeline.around.store;
    const isChosen = choice(chosen);
    const { blocked } = queue.stats();
    if (blocked) throw new RefusedError(409, `nothing can be sent again while the queue takes nothing: ${blocked.why}`);
    let left = 0;
    let records = 0;
    const isTaken = (letter: DeadLetter) => {
      if (!isChosen(letter)) return false;
      if (pipeline.lanes.has(letter.output)) return true;
      left++;
      return false;
    };
    try {
      await deadLetters.take(isTaken, async (letters) => {
        await Promise.all([...batchesOf(letters)].map((batch) => this.#putBack(batch)));
        await queue.flush();
        records += letters.length;
        emit({ is: "created", by: "dead_letters", records: letters.length, reason: "replay" });
      });
    } finally {
      const details = { ...told(chosen), records, left };
      const message = `sent ${records} dead letters again`;
      await this.#tell({ action: "dead_letters.replay", operator, details, message });
    }
    return { records, left };
  }

  #putBack(batch: RecordBatch): Promise<void> {
    const { queue } = this.#pipeline.around.store;
    return queue.append(batch, { read: 0, created: batch.count, filtered: 0, states: [] });
  }

  async discard(chosen: LettersChosen, operator: Operator): Promise<LettersDone> {
    const { emit } = this.#parts;
    const { deadLetters } = this.#pipeline.around.store;
    let records = 0;
    const discarded = (letters: readonly DeadLetter[]) => {
      let bytes = 0;
      for (const { original } of letters) bytes += original.length;
      records += letters.length;
      const reason = `discarded by ${operator.actor} (${operator.from})`;
      emit({ is: "lost", where: "dead_letters", name: "dead_letters", records: letters.length, bytes, reason });
    };
    const isChosen = choice(chosen);
    try {
      await deadLetters.take(isChosen, async () => {}, discarded);
    } finally {
      const details = { ...told(chosen), records };
      const message = `discarded ${records} dead letters`;
      await this.#tell({ action: "dead_letters.discard", operator, details, message });
    }
    return { records, left: 0 };
  }

  async dropOrphan(alias: string, operator: Operator): Promise<OrphanDropped> {
    const pipeline = this.#pipeline;
    if (pipeline.lanes.has(alias)) {
      throw new RefusedError(409, `${alias} is an output; remove or disable it before giving up what waits for it`);
    }
    const dropped = await pipeline.dropOrphan(alias);
    if (dropped === undefined) throw new RefusedError(404, `nothing waits for ${alias}`);
    const { records, bytes } = dropped;
    const message = `gave up ${records} entries that waited for ${alias}`;
    await this.#tell({ action: "orphan.drop", operator, details: { output: alias, records, bytes }, message });
    return { alias, records, bytes };
  }

  async #tell(action: OperatorAction): Promise<void> {
    const { clock, emit } = this.#parts;
    const pipeline = this.#pipeline;
    const { actor, from } = action.operator;
    emit({ is: "operator", action: action.action, actor, from, message: action.message });
    await pipeline.record(OPERATOR_TAG, operatorEntry(action, clock.now()));
  }

  close(): void {
    this.#history.close();
  }
}

/** Of many ids the first: an audit entry is no list of entries. */
function told({ output, ids, all }: LettersChosen): object {
  return {
    ...(output === undefined ? {} : { output }),
    ...(all ? { all } : {}),
    ...(ids ? { ids: ids.slice(0, 20) } : {}),
  };
}

function choice(chosen: LettersChosen): (letter: DeadLetter) => boolean {
  const isChosen = chooser(chosen);
  if (isChosen === undefined) {
    throw new RefusedError(400, 'say which: {"output": …}, {"output": …, "ids": […]} or {"all": true}');
  }
  return isChosen;
}

function problemsOf(error: unknown, file: string): string[] {
  if (error instanceof ConfigError) return error.problems.map((problem) => formatProblem(file, problem));
  return [error instanceof Error ? error.message : String(error)];
}
