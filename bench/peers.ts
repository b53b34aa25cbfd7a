/** Other agents, run side by side where they are found on PATH. Their configurations and what each stands for: bench/peers/README.md. */
import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { access, constants, mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { CorpusKind } from "./corpus.ts";
import { archiveOf, type Job, type RunPlace } from "./jobs.ts";
import { fromProc, type Usage } from "./measure.ts";
import { countFile } from "./sink/archive.ts";
import type { Destination } from "./sink/orders.ts";

export interface Peer {
  /** For the table: the program and what its configuration stands for. */
  readonly name: string;
  readonly program: string;
  readonly job: Job["name"];
  /** In bench/peers. */
  readonly template: string;
  /** Passes every line on as it is: no parsing, and no filter. */
  readonly untouched: boolean;
}

const FOLDER = fileURLToPath(new URL("peers", import.meta.url));
const POLL_MS = 20;
/** Without a new entry for so long it is stuck. */
const STUCK_MS = 30_000;
const END_MS = 10_000;
/** For entries that come twice to show up. */
const LINGER_MS = 300;

/** For outputs that sign their requests; anything will do. */
const KEYS = { AWS_ACCESS_KEY_ID: "bench", AWS_SECRET_ACCESS_KEY: "bench" };

/** What makes a program tell its version. */
const VERSION: Readonly<Record<string, string>> = { rsyslogd: "-v" };

/** Arguments besides the configuration. */
const ARGUMENTS: Readonly<Record<string, (config: string, folder: string) => string[]>> = {
  rsyslogd: (config, folder) => ["-n", "-f", config, "-i", join(folder, "pid")],
  "fluent-bit": (config) => ["--quiet", "-c", config],
  vector: (config) => ["--quiet", "--config", config],
  "file.d": (config) => ["--config", config, "--http", "off"],
};

const peer = (program: string, job: string, template: string, means: string, untouched = false): Peer => ({
  name: means === "" ? program : `${program}, ${means}`,
  program,
  job,
  template: join(program, template),
  untouched,
});

const UNTOUCHED = true;

export const PEERS: readonly Peer[] = [
  peer("rsyslogd", "elasticsearch", "elasticsearch.conf", "lines untouched, queue in memory", UNTOUCHED),
  peer("rsyslogd", "elasticsearch", "elasticsearch-disk.conf", "lines untouched, disk-assisted queue", UNTOUCHED),
  peer("rsyslogd", "elasticsearch", "elasticsearch-filtered.conf", "parsed and filtered"),
  peer("rsyslogd", "syslog", "syslog.conf", "lines untouched, queue in memory", UNTOUCHED),
  peer("fluent-bit", "elasticsearch", "elasticsearch.yaml", "usual settings"),
  peer("fluent-bit", "elasticsearch", "elasticsearch-fastest.yaml", "fastest settings"),
  peer("fluent-bit", "elasticsearch-gzip", "elasticsearch-gzip.yaml", "usual settings"),
  peer("fluent-bit", "elasticsearch-gzip", "elasticsearch-gzip-fastest.yaml", "fastest settings"),
  peer("fluent-bit", "splunk", "splunk.yaml", "usual settings"),
  peer("fluent-bit", "splunk", "splunk-fastest.yaml", "fastest settings"),
  peer("fluent-bit", "fan-out-3", "fan-out-3.yaml", "usual settings"),
  peer("fluent-bit", "s3", "s3.yaml", "lines untouched", UNTOUCHED),
  peer("vector", "elasticsearch", "elasticsearch.yaml", ""),
  peer("vector", "splunk", "splunk.yaml", ""),
  peer("file.d", "elasticsearch", "elasticsearch.yaml", "memory only"),
];

/** Those that can do a job here. Which real entries are below info, and which are API requests, their filters cannot tell. */
export async function peersFor(job: Job, corpus: CorpusKind): Promise<Peer[]> {
  const fit = PEERS.filter((known) => known.job === job.name && (known.untouched || corpus !== "real"));
  const found = await Promise.all(fit.map(async ({ program }) => (await pathOf(program)) !== undefined));
  return fit.filter((_, i) => found[i]);
}

/** As the program says it, in its first line that has a number. */
export async function versionOf(program: string): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, [VERSION[program] ?? "--version"]);
    return `${program} ${/\d+(\.\d+)+/.exec(stdout)![0]}`;
  } catch {
    return `${program}, which does not tell its version`;
  }
}

async function pathOf(program: string): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, program);
    try {
      await access(path, constants.X_OK);
      return path;
    } catch {
      // The next folder may have it.
    }
  }
  return undefined;
}

/**
 * Until the destinations have so many entries, each: then it is asked for what it used so far, and ended. An agent that ends by
 * itself sooner has failed.
 */
export async function runPeer(known: Peer, job: Job, place: RunPlace, entries: number): Promise<Usage> {
  const config = join(place.folder, known.template.replaceAll("/", "-"));
  await writeFile(config, filled(known.template, place));
  const state = join(place.folder, "state");
  await mkdir(state, { recursive: true });
  const from = performance.now();
  const child = spawn((await pathOf(known.program))!, ARGUMENTS[known.program]!(config, place.folder), {
    stdio: ["ignore", "ignore", "pipe"],
    cwd: place.folder,
    env: { ...process.env, ...KEYS },
  });
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-20_000);
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const failure = (why: string) => new Error(`${known.program} ${why}${errors === "" ? "" : `:\n${errors}`}`);
  try {
    const counted = job.destinations.filter((destination) => destination !== "file");
    let seen = 0;
    let since = performance.now();
    while (true) {
      await sleep(POLL_MS);
      if (child.exitCode !== null) throw failure(`ended with ${child.exitCode}`);
      const arrived = await fewest(counted, place);
      if (arrived >= entries && (await fileHas(job, place, entries))) break;
      if (arrived > seen) since = performance.now();
      seen = arrived;
      if (performance.now() - since > STUCK_MS)
        throw failure(`delivered ${seen} of ${entries} entries and then nothing for ${STUCK_MS / 1000} s`);
    }
    const usage = { wallSeconds: (performance.now() - from) / 1000, ...fromProc(child.pid!)! };
    await sleep(LINGER_MS);
    return usage;
  } finally {
    child.kill();
    const late = setTimeout(() => child.kill("SIGKILL"), END_MS);
    await ended;
    clearTimeout(late);
  }
}

async function fewest(destinations: readonly Destination[], { sink }: RunPlace): Promise<number> {
  const tallies = await sink.tallies();
  return Math.min(...destinations.map((destination) => tallies[destination]?.entries ?? 0));
}

/** Only asked once the others have everything: it reads the file from its start. */
async function fileHas({ destinations }: Job, { folder }: RunPlace, entries: number): Promise<boolean> {
  if (!destinations.includes("file")) return true;
  const path = archiveOf(folder);
  return existsSync(path) && (await countFile(path, "entries")).entries >= entries;
}

/** `{{name}}` in a template. */
function filled(template: string, { folder, corpus, sink }: RunPlace): string {
  const values: Record<string, string> = {
    corpus,
    folder,
    port: String(sink.port),
    tcp: String(sink.tcp),
    // file.d takes a folder and a pattern.
    corpusFolder: corpus.slice(0, corpus.lastIndexOf("/")),
    corpusName: corpus.slice(corpus.lastIndexOf("/") + 1),
  };
  return readFileSync(join(FOLDER, template), "utf8").replace(/\{\{(\w+)\}\}/g, (whole, name) => values[name] ?? whole);
}
