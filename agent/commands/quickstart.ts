/** `audit-agent quickstart`: the main job on files, so that anybody can see it work within a minute and without a server. */
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join, relative, resolve } from "node:path";
import { systemClock } from "../api/clock.ts";
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import { type CommandContext, EXIT, exists, load, messageOf } from "./context.ts";
import { quickstartYaml } from "./quickstart-yaml.ts";
import { type RunFlags, runPipeline } from "./run.ts";
import { agentLines, dashboardLines } from "./samples.ts";

export async function quickstart(directory: string, flags: RunFlags, context: CommandContext): Promise<number> {
  const dir = resolve(directory);
  const file = join(dir, "pipeline.yaml");
  let first: boolean;
  try {
    first = await prepare(dir, file);
  } catch (error) {
    context.err(`cannot prepare ${dir}: ${messageOf(error)}\n`);
    return EXIT.usage;
  }
  const loaded = await load(file, context);
  if (loaded === undefined) {
    context.err(`Remove ${show(file)} to have it written anew.\n`);
    return EXIT.usage;
  }
  const { places } = loaded;
  const values = (key: string) => (places.get(key) ?? []).map(({ value }) => `  ${show(value)}\n`).join("");
  context.out(
    [
      `audit-agent ${context.version}, quick start\n\n`,
      `Reading${first ? " (the samples were just written)" : ""}\n`,
      ...loaded.config.inputs.map(({ alias }) => values(`inputs.${alias}`)),
      "Writing\n",
      ...loaded.config.outputs.map(({ alias }) => values(`outputs.${alias}`)),
      `Remembering what was shipped, so that the next start ships only what is new\n`,
      values("service"),
      "\nTo point it elsewhere, copy the pipeline, change it, and run it:\n",
      `  cp ${show(file)} pipeline.yaml\n`,
      "  npx audit-agent --config pipeline.yaml\n\n",
    ].join(""),
  );
  const progress = new Progress(context);
  const page = (url: string) => context.out(`The live page: ${url}\n`);
  context.out(flags.once ? "" : "Waiting for entries; Ctrl-C stops.\n");
  const running = { ...loaded, config: { ...loaded.config, service: await withPage(loaded.config.service, flags) } };
  const code = await runPipeline(running, flags, context, { quiet: true, watch: progress.watch, page });
  progress.finish();
  if (!flags.once && code === EXIT.fine) context.out("Stopped. The next start goes on from here.\n");
  return code;
}

/** Nobody looks at a run that ends by itself; and where another server has the port, any other will do. */
async function withPage(service: ServiceOptions, { once }: RunFlags): Promise<ServiceOptions> {
  const { http, ...others } = service;
  if (http === undefined) return service;
  if (once) return others;
  const { parseListen } = await import("../http/address.ts");
  const { host, port } = parseListen(http.listen, "service.http.listen");
  return (await isFree(host, port)) ? service : { ...service, http: { ...http, listen: `${host}:0` } };
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

/** Writes what is not there yet, and says whether that was the samples. A pipeline.yaml that somebody changed stays as it is. */
async function prepare(dir: string, file: string): Promise<boolean> {
  const dashboard = join(dir, "samples", "dashboard");
  await mkdir(dashboard, { recursive: true, mode: 0o700 });
  const marker = join(dir, "samples", "agent-audit.jsonl");
  const places = {
    dashboardSamples: join(dashboard, "*.jsonl"),
    agentSamples: marker,
    ownAgentLog: resolve(".loki/logs/agent-audit.jsonl"),
  };
  await writeNew(file, quickstartYaml(places));
  const now = systemClock.now();
  if (await exists(marker)) return false;
  const day = new Date(now).toISOString().slice(0, 10);
  await writeNew(join(dashboard, `audit-${day}.jsonl`), lines(dashboardLines(now)));
  // Last, because it says that all samples are there.
  await writeNew(marker, lines(agentLines(now)));
  return true;
}

function lines(entries: readonly string[]): string {
  return `${entries.join("\n")}\n`;
}

async function writeNew(file: string, text: string): Promise<void> {
  if (!(await exists(file))) await writeFile(file, text, { flag: "wx", mode: 0o600 });
}

/** As a person would type it. */
function show(path: string): string {
  const near = relative(process.cwd(), path);
  if (near !== "" && !near.startsWith("..")) return near;
  const home = homedir();
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** Says now and then how much has been shipped. */
class Progress {
  readonly #context: CommandContext;
  #delivered = 0;
  #filtered = 0;
  #told = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  readonly watch: Emit = (event) => {
    if (event.is === "filtered") this.#filtered += event.records;
    if (event.is !== "delivered") return;
    this.#delivered += event.records;
    this.#timer ??= setTimeout(() => this.#tell(), 500);
  };

  finish(): void {
    clearTimeout(this.#timer);
    if (this.#delivered > this.#told) this.#tell();
    if (this.#delivered === 0) this.#context.out("Nothing was new.\n");
  }

  #tell(): void {
    this.#timer = undefined;
    this.#told = this.#delivered;
    const filtered = this.#filtered > 0 ? `, ${entries(this.#filtered)} filtered out` : "";
    this.#context.out(`${entries(this.#delivered)} written to the archive${filtered}\n`);
  }
}

function entries(n: number): string {
  return n === 1 ? "1 entry" : `${n.toLocaleString("en-US")} entries`;
}
