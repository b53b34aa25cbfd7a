/** What is measured: pipelines of the agent, and what must have arrived at the end of each. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Corpus, CorpusKind } from "./corpus.ts";
import { ADDED } from "./normal.ts";
import { countFile } from "./sink/archive.ts";
import type { Sink } from "./sink/client.ts";
import type { Destination, Orders } from "./sink/orders.ts";
import type { Expected, Tally } from "./tally.ts";

/** Where one run happens. */
export interface RunPlace {
  /** Of this run alone, empty at first. */
  readonly folder: string;
  readonly corpus: string;
  readonly sink: Sink;
}

export interface Job {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  /** A corpus of its own, whichever is asked for. */
  readonly corpus?: CorpusKind;
  /** Whether the usual filters let through what arrives. */
  readonly filtered: boolean;
  readonly destinations: readonly (Destination | "file")[];
  /** Of the agent, by name; the first is the job itself, others are beside it for comparison. */
  readonly variants: readonly Variant[];
}

export interface Variant {
  readonly name: string;
  /** The pipeline: YAML. */
  config(place: RunPlace): string;
  /** Throws where something else is wrong than what arrived. */
  check?(place: RunPlace): Promise<void>;
}

const AGENT = "audit-agent";

const head = ({ folder, corpus }: RunPlace) => `service: { data_dir: ${join(folder, "data")}, log_level: warn }
pipeline:
  inputs:
    - { name: tail, tag: audit, path: ${corpus} }`;

const CHAIN = "    - { name: chain, match: '*', scheme: loki-dashboard }\n";

const filters = (first = "") => `
  filters:
${first}    - { name: level, match: '*', min: info }
    - { name: exclude_events, match: '*', events: [api.request] }
    - { name: metadata, match: '*', add: {${ADDED.replaceAll(":", ": ")}} }`;

const outputs = (list: readonly string[]) => `
  outputs:
${list.map((output) => `    - { ${output} }`).join("\n")}
`;

const KEYS = "region: eu-central-1, access_key_id: bench, secret_access_key: bench";

/** An output's options, without braces. */
export const OUTPUTS = {
  elasticsearch: ({ url }: Sink) => `name: elasticsearch, match: audit, url: ${url}, index: audit-%Y.%m.%d`,
  splunk: ({ url }: Sink) => `name: splunk_hec, match: audit, url: ${url}, token: bench`,
  syslog: ({ tcp }: Sink) => `name: syslog, match: audit, host: 127.0.0.1, port: ${tcp}, protocol: tcp`,
  cloudwatch: ({ url }: Sink) =>
    `name: cloudwatch, match: audit, endpoint: ${url}, ${KEYS}, log_group: bench, out_of_range: read_time`,
  s3: ({ url }: Sink) =>
    `name: s3, match: audit, endpoint: ${url}, ${KEYS}, bucket: bench, force_path_style: true, format: original, upload_timeout: 1s`,
} as const;

/** Where the file output writes: Fluent Bit's too, see bench/peers. */
export const archiveOf = (folder: string) => join(folder, "archive.jsonl");
const verdictsOf = (folder: string) => join(folder, "verdicts.jsonl");

export const filteredInto = (place: RunPlace, list: readonly string[]) => `${head(place)}${filters()}${outputs(list)}`;

function filtered(name: string, destination: Destination, what: string, options = ""): Job {
  return {
    name,
    what: `tail → level → exclude_events → metadata → queue → ${what}`,
    filtered: true,
    destinations: [destination],
    variants: [
      { name: AGENT, config: (place) => filteredInto(place, [`${OUTPUTS[destination](place.sink)}${options}`]) },
    ],
  };
}

const GZIP = ", compression: gzip";

export const JOBS: readonly Job[] = [
  {
    name: "null",
    what: "tail → queue → stdout, bytes as they are, to /dev/null",
    filtered: false,
    destinations: [],
    variants: [
      { name: AGENT, config: (place) => `${head(place)}${outputs(["name: stdout, match: '*', format: original"])}` },
    ],
  },
  filtered("elasticsearch", "elasticsearch", "Elasticsearch bulk"),
  filtered("elasticsearch-gzip", "elasticsearch", "Elasticsearch bulk, gzip", GZIP),
  {
    name: "elasticsearch-chain",
    what: "tail → chain → level → exclude_events → metadata → queue → Elasticsearch bulk, over a hash chain",
    corpus: "chained",
    filtered: true,
    destinations: ["elasticsearch"],
    variants: [
      {
        name: AGENT,
        config(place) {
          const verdicts = `name: file, match: audit.integrity, path: ${verdictsOf(place.folder)}`;
          return `${head(place)}${filters(CHAIN)}${outputs([OUTPUTS.elasticsearch(place.sink), verdicts])}`;
        },
        check: async ({ folder }) => mustVerify(await readFile(verdictsOf(folder), "utf8")),
      },
      {
        name: `${AGENT} without the chain filter`,
        config: (place) => filteredInto(place, [OUTPUTS.elasticsearch(place.sink)]),
      },
    ],
  },
  filtered("splunk", "splunk", "Splunk HEC events"),
  filtered("splunk-gzip", "splunk", "Splunk HEC events, gzip", GZIP),
  filtered("syslog", "syslog", "syslog over TCP, RFC 5424"),
  filtered("cloudwatch", "cloudwatch", "CloudWatch Logs"),
  {
    name: "s3",
    what: "tail → queue → S3 objects, gzip, lines untouched",
    filtered: false,
    destinations: ["s3"],
    variants: [{ name: AGENT, config: (place) => `${head(place)}${outputs([OUTPUTS.s3(place.sink)])}` }],
  },
  {
    name: "fan-out-3",
    what: "tail → level → exclude_events → metadata → queue → Elasticsearch bulk, Splunk HEC and a file at once",
    filtered: true,
    destinations: ["elasticsearch", "splunk", "file"],
    variants: [
      {
        name: AGENT,
        config(place) {
          const { elasticsearch, splunk } = OUTPUTS;
          const file = `name: file, match: audit, path: ${archiveOf(place.folder)}`;
          return filteredInto(place, [elasticsearch(place.sink), splunk(place.sink), file]);
        },
      },
    ],
  },
];

/** The chain filter must have looked, and found nothing: in a benchmark it is as wrong to be fast without. */
function mustVerify(verdicts: string): void {
  if (verdicts.includes("integrity.chain.started") && !verdicts.includes("integrity.chain.broken")) return;
  throw new Error(`the chain was not verified whole: ${verdicts.slice(0, 500) || "it says nothing"}`);
}

/** What must have arrived at a destination. */
export function expectedAt(
  destination: Destination | "file",
  { all, kept }: Corpus,
  filtered: boolean,
  by: Orders["by"],
): Expected {
  const { ids, lines, content } = filtered ? kept : all;
  if (by === "content") return content;
  if (by === "ids" && destination === "s3" && !filtered) return lines;
  const hasIds = destination === "elasticsearch" || destination === "splunk" || destination === "syslog";
  return by === "ids" && hasIds ? ids : { entries: ids.entries };
}

/** What has arrived: the sink says it of its destinations, the file is read. */
export async function receivedAt(
  destinations: Job["destinations"],
  { folder, sink }: RunPlace,
  by: Orders["by"],
): Promise<Partial<Record<Destination | "file", Tally>>> {
  const received: Partial<Record<Destination | "file", Tally>> = await sink.tallies();
  if (!destinations.includes("file")) return received;
  return { ...received, file: await countFile(archiveOf(folder), by) };
}
