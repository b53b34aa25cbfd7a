/**
 * `npm run bench:growth [axis…] [-- --repeats N --write --note TEXT]`: how the agent's CPU time grows with its input and its configuration; each
 * axis a chart in docs/benchmarks/, with the straight line that fits it best. `--write`: into docs/benchmarks.md.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { svg } from "./chart.ts";
import { corpus } from "./corpus.ts";
import { writePart } from "./document.ts";
import { type Line, leastSquares } from "./fit.ts";
import { type Axis, axes, type Run } from "./growth-axes.ts";
import { JOBS } from "./jobs.ts";
import { type Place, runConfig, runJob } from "./once.ts";
import { published } from "./published.ts";
import { type Sink, same, startSink } from "./sink/client.ts";
import { PLAIN } from "./sink/orders.ts";

const CHARTS = fileURLToPath(new URL("../docs/benchmarks", import.meta.url));
/** Below it, the line leaves so much unexplained that it cannot be called one. */
const STRAIGHT = 0.98;
/** Of the mean: a line that rises less from its beginning to its end is flat, and how well it fits says nothing. */
const FLAT = 0.1;

interface Point {
  readonly x: number;
  readonly y: number;
  readonly title: string;
}

interface Grown {
  readonly axis: Axis;
  readonly points: readonly Point[];
  readonly line: Line;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      repeats: { type: "string", default: "3" },
      write: { type: "boolean", default: false },
      note: { type: "string", default: "" },
    },
  });
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-growth-"));
  const sink = await startSink();
  try {
    const place = { folder, launcher: await published(join(folder, "package")) };
    const all = (await axes(join(folder, "inputs"))).filter(
      ({ name }) => positionals.length === 0 || positionals.includes(name),
    );
    const grown = await measureAll(place, sink, all, Number(values.repeats));
    await mkdir(CHARTS, { recursive: true });
    for (const each of grown) {
      console.log(`${each.axis.title}: ${sentence(each)}`);
      for (const { title } of each.points) console.log(`  ${title}`);
      if (values.write) await writeFile(join(CHARTS, `${each.axis.name}.svg`), chart(each));
    }
    if (values.write) await writePart("npm run bench:growth", text(grown, Number(values.repeats)), values.note);
  } finally {
    sink.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** All runs in turn, again and again: an hour in which the machine is busy meets all of them. */
async function measureAll(place: Place, sink: Sink, all: readonly Axis[], repeats: number): Promise<Grown[]> {
  const lowest = new Map<Run | undefined, number>();
  const note = (run: Run | undefined, cpu: number) => lowest.set(run, Math.min(cpu, lowest.get(run) ?? cpu));
  const line = await corpus("mixed", 1, 1);
  for (let i = 0; i < repeats; i++) {
    note(undefined, (await runJob(place, JOBS[1]!, line, sink)).cpuSeconds);
    for (const run of all.flatMap(({ runs }) => runs)) note(run, await cpuOf(place, sink, run));
  }
  const start = lowest.get(undefined)!;
  return all.map((axis) => {
    const points = axis.runs.map((run) => point(run, lowest.get(run)! - start));
    return { axis, points, line: leastSquares(points) };
  });
}

/** Throws unless everything has arrived as often as there are outputs. */
async function cpuOf(place: Place, sink: Sink, { input, copies, config }: Run): Promise<number> {
  const data = join(place.folder, "data");
  await sink.begin(PLAIN);
  const { cpuSeconds } = await runConfig(place, data, config(data, sink));
  const { elasticsearch } = await sink.tallies();
  let checksum = 0;
  for (let i = 0; i < copies; i++) checksum = (checksum + input.all.checksum) % Number.MAX_SAFE_INTEGER;
  if (!same({ entries: copies * input.entries, checksum }, elasticsearch))
    throw new Error(`of ${input.path} something is lost or came twice`);
  return cpuSeconds;
}

function point({ x, what, input }: Run, cpu: number): Point {
  const y = cpu / (input.entries / 1e6);
  const perGb = cpu / (input.bytes / 1e9);
  return { x, y, title: `${what}: ${y.toFixed(2)} CPU-seconds per million entries, ${perGb.toFixed(2)} per GB` };
}

function chart({ axis, points, line }: Grown): string {
  const remark = `${formula(axis, line)}, R² ${line.r2.toFixed(3)}`;
  const y = { label: "CPU-seconds per million" };
  return svg({ title: axis.title, x: { label: axis.label }, y, points, line, remark });
}

function formula({ step: [what, size] }: Axis, { intercept, slope }: Line): string {
  const each = slope * size;
  return `${intercept.toFixed(2)} ${each < 0 ? "−" : "+"} ${Math.abs(each).toFixed(2)} per ${what}`;
}

function sentence({ axis, points, line }: Grown): string {
  const mean = points.reduce((sum, { y }) => sum + y, 0) / points.length;
  const rise = Math.abs(line.slope) * (points.at(-1)!.x - points[0]!.x);
  const r2 = line.r2.toFixed(3);
  if (rise < FLAT * mean) return `next to nothing is added: ${formula(axis, line)}.`;
  if (line.r2 >= STRAIGHT) return `a straight line, ${formula(axis, line)} (R² ${r2}).`;
  return `not quite a straight line (R² ${r2} for ${formula(axis, line)}).`;
}

function text(grown: readonly Grown[], repeats: number): string {
  const charts = grown.map(
    (each) => `**${each.axis.title}**: ${sentence(each)} ${each.axis.about}

![CPU-seconds per million entries against ${each.axis.label}](benchmarks/${each.axis.name}.svg)`,
  );
  return `How the cost grows: the agent's CPU time per million entries, start-up taken off,
tail → queue → Elasticsearch but for what the chart varies. Each point is the lowest of ${repeats} runs, in turn with all others, for what else
the machine does can only add to it; dashed, the straight line with the least squares. A chart opened by itself shows each point's
value under the pointer.

${charts.join("\n\n")}`;
}

await main();
