import type { Corpus } from "./corpus.ts";
import type { Sink } from "./destination.ts";
import type { Expected } from "./tally.ts";

export interface Job {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  /** Tallied by the sink under this name; undefined where it is not used. */
  readonly destination?: Destination;
  /** The pipeline: YAML. */
  config(paths: { data: string; corpus: string; sink: Sink }): string;
}

const head = (data: string, corpus: string) => `service: { data_dir: ${data}, log_level: warn }
pipeline:
  inputs:
    - { name: tail, tag: audit, path: ${corpus} }`;

const FILTERS = `
  filters:
    - { name: level, match: '*', min: info }
    - { name: exclude_events, match: '*', events: [api.request] }
    - { name: metadata, match: '*', add: { environment: bench, deployment_id: local } }`;

const KEYS = "region: eu-central-1, access_key_id: bench, secret_access_key: bench";

/** An output's options, without braces. */
export const OUTPUTS = {
  elasticsearch: ({ url }: Sink) => `name: elasticsearch, match: '*', url: ${url}, index: audit-%Y.%m.%d`,
  splunk: ({ url }: Sink) => `name: splunk_hec, match: '*', url: ${url}, token: bench`,
  syslog: ({ tcp }: Sink) => `name: syslog, match: '*', host: 127.0.0.1, port: ${tcp}, protocol: tcp`,
  cloudwatch: ({ url }: Sink) =>
    `name: cloudwatch, match: '*', endpoint: ${url}, ${KEYS}, log_group: bench, out_of_range: read_time`,
  s3: ({ url }: Sink) =>
    `name: s3, match: '*', endpoint: ${url}, ${KEYS}, bucket: bench, force_path_style: true, format: original, upload_timeout: 1s`,
} as const;

export type Destination = keyof typeof OUTPUTS;

/** What must have arrived. Of CloudWatch's events, and of lines that were filtered on their way to S3, only the number is known. */
export function expectedAt(destination: Destination, { kept, lines }: Corpus, filtered: boolean): Expected {
  if (destination === "s3" && !filtered) return lines;
  return destination === "s3" || destination === "cloudwatch" ? { entries: kept.entries } : kept;
}

export const filteredInto = (data: string, corpus: string, outputs: readonly string[]) =>
  `${head(data, corpus)}${FILTERS}
  outputs:
${outputs.map((output) => `    - { ${output} }`).join("\n")}
`;

const filtered = (destination: Destination, what: string): Job => ({
  name: destination,
  what: `tail → level → exclude_events → metadata → queue → ${what}`,
  destination,
  config: ({ data, corpus, sink }) => filteredInto(data, corpus, [OUTPUTS[destination](sink)]),
});

export const JOBS: readonly Job[] = [
  {
    name: "null",
    what: "tail → queue → stdout, bytes as they are, to /dev/null",
    config: ({ data, corpus }) => `${head(data, corpus)}
  outputs:
    - { name: stdout, match: '*', format: original }
`,
  },
  filtered("elasticsearch", "Elasticsearch bulk"),
  filtered("splunk", "Splunk HEC events"),
  filtered("syslog", "syslog over TCP, RFC 5424"),
  filtered("cloudwatch", "CloudWatch Logs"),
  {
    name: "s3",
    what: "tail → queue → S3 objects, gzip, lines untouched",
    destination: "s3",
    config: ({ data, corpus, sink }) => `${head(data, corpus)}
  outputs:
    - { ${OUTPUTS.s3(sink)} }
`,
  },
];
