/** What the cost grows along: each axis a row of runs of the agent that differ in one thing. */
import { join } from "node:path";
import { corpus } from "./corpus.ts";
import { OUTPUTS } from "./jobs.ts";
import { type Made, sized, split } from "./made.ts";
import type { Sink } from "./sink/client.ts";

export interface Run {
  readonly x: number;
  /** For the point: what x is, in words. */
  readonly what: string;
  readonly input: Made;
  /** Outputs that all get everything. */
  readonly copies: number;
  config(data: string, sink: Sink): string;
}

export interface Axis {
  readonly name: string;
  readonly title: string;
  /** Of x, with its unit. */
  readonly label: string;
  /** What one step along x is, as in "0.41 per output"; and how many of x it is. */
  readonly step: readonly [what: string, size: number];
  /** What is to be known about its shape. */
  readonly about: string;
  readonly runs: readonly Run[];
}

const SIZES = [120, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768];
const SIZED_BYTES = 192 << 20;
const MOST_OUTPUTS = 5;
const FILTERS = [0, 2, 4, 6, 8];
const FILES = [1, 100, 250, 500, 750, 1000];
const BATCHES = [5000, 1000, 500, 250, 167, 125, 100];
const ENTRIES = 300_000;
const SEED = 1;

interface Shape {
  readonly options?: string;
  readonly filters?: number;
  readonly outputs?: number;
  readonly batch?: number;
}

/** tail → filters → queue → Elasticsearch, as plain as can be but for what the shape says. */
function pipeline({ path }: Made, { options = "", filters = 0, outputs = 1, batch }: Shape): Run["config"] {
  // Each looks at every entry, and drops none.
  const filter = (i: number) => `    - { name: exclude_events, match: '*', events: [nothing.${i}] }`;
  const more = batch === undefined ? "" : `, batch: { records: ${batch} }`;
  return (data, sink) => `service: { data_dir: ${data}, log_level: warn }
pipeline:
  inputs: [{ name: tail, tag: audit, path: '${path}'${options} }]
  filters:${filters === 0 ? " []" : `\n${lines(filters, filter)}`}
  outputs:
${lines(outputs, (i) => `    - { ${OUTPUTS.elasticsearch(sink)}, alias: output-${i}${more} }`)}
`;
}

function lines(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i + 1)).join("\n");
}

/** Makes the inputs of all axes in `folder`. */
export async function axes(folder: string): Promise<Axis[]> {
  const mixed = await corpus("mixed", ENTRIES, SEED);
  const usual: Made = { ...mixed, all: mixed.all.ids };
  const run = (x: number, what: string, shape: Shape, input = usual): Run => ({
    x,
    what,
    input,
    copies: shape.outputs ?? 1,
    config: pipeline(input, shape),
  });
  const sizes = await Promise.all(SIZES.map((size) => sized(folder, size, SIZED_BYTES)));
  const files: Run[] = [];
  for (const count of FILES) {
    const input = await split(usual.path, join(folder, `files-${count}`), count);
    files.push(run(count, `${count} files`, { options: ", group_by: file" }, input));
  }
  return [
    {
      name: "entry-size",
      title: "Entry size",
      label: "KiB per entry",
      step: ["KiB", 1],
      about:
        "Bytes are read, looked at, checksummed, written and sent; what is done once per entry is the line's beginning.",
      runs: SIZES.map((size, i) => run(size / 1024, `${size} bytes`, {}, sizes[i])),
    },
    {
      name: "outputs",
      title: "Number of outputs",
      label: "Elasticsearch outputs that each get everything",
      step: ["output", 1],
      about: "Reading, and the one queue for all, is done once.",
      runs: Array.from({ length: MOST_OUTPUTS }, (_, i) => run(i + 1, `${i + 1} outputs`, { outputs: i + 1 })),
    },
    {
      name: "filters",
      title: "Number of filters",
      label: "exclude_events filters that drop nothing",
      step: ["filter", 1],
      about: "The fields that filters ask for are found once, for all of them together.",
      runs: FILTERS.map((filters) => run(filters, `${filters} filters`, { filters })),
    },
    {
      name: "files",
      title: "Number of files",
      label: "files, of the same entries",
      step: ["100 files", 100],
      about:
        "Each file is opened, identified by its first line, and makes blocks of the queue of its own, however little is in it.",
      runs: files,
    },
    {
      name: "batch-size",
      title: "Size of an output's batches",
      label: "requests per 1,000 entries",
      step: ["request per 1,000 entries", 1],
      about:
        "Against the batches' size itself it would be a hyperbola, for what costs is each request. One that takes whole blocks of the queue (1 MiB, here some 2,200 entries) costs less than the line says; those of parts of a block lie on one of their own.",
      runs: BATCHES.map((batch) => run(1000 / batch, `batches of ${batch}`, { batch })),
    },
  ];
}
