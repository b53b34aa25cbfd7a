import type { Corpus } from "./corpus.ts";
import type { Tally } from "./tally.ts";

export interface Job {
  readonly name: string;
  /** For the table. */
  readonly what: string;
  /** The pipeline: YAML. */
  config(paths: { data: string; corpus: string; sink: string }): string;
  /** What the sink must have seen; undefined where the sink is not used. */
  expected(corpus: Corpus): Tally | undefined;
}

const head = (data: string, corpus: string) => `service: { data_dir: ${data}, log_level: warn }
pipeline:
  inputs:
    - { name: tail, tag: audit, path: ${corpus} }`;

export const JOBS: readonly Job[] = [
  {
    name: "null",
    what: "tail → queue → stdout, bytes as they are, to /dev/null",
    config: ({ data, corpus }) => `${head(data, corpus)}
  outputs:
    - { name: stdout, match: '*', format: original }
`,
    expected: () => undefined,
  },
  {
    name: "elasticsearch",
    what: "tail → level → exclude_events → metadata → queue → Elasticsearch bulk",
    config: ({ data, corpus, sink }) => `${head(data, corpus)}
  filters:
    - { name: level, match: '*', min: info }
    - { name: exclude_events, match: '*', events: [api.request] }
    - { name: metadata, match: '*', add: { environment: bench, deployment_id: local } }
  outputs:
    - { name: elasticsearch, match: '*', url: ${sink}, index: audit-%Y.%m.%d }
`,
    expected: ({ kept }) => kept,
  },
];
