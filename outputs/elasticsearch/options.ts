import { z } from "zod";
import { duration, oneOrMore, secret, size, tlsOptions, url } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { timeTemplate, timeTemplateProblem } from "../shared/strftime.ts";
import { tlsProblems } from "../shared/tls.ts";
import { LAST_NANOS_MS } from "./stamp.ts";

export const DEFAULT_INDEX = "audit-logs-%Y.%m.%d";

/** Days until a phase, or never. */
const phase = (doc: string, shown: string) => z.union([z.literal("never"), duration(doc, shown)]).meta({ doc });

const priority = (doc: string, shown: number) => z.int().min(0).max(1_000_000).default(shown).meta({ doc });

export const lifecycleOptions = z
  .strictObject({
    warm_after: phase(
      "Age at which an index is shrunk to one shard and merged to one segment; `never` leaves it.",
      "7d",
    ),
    cold_after: phase("Age at which an index is the last to be recovered after a restart; `never` leaves it.", "30d"),
    delete_after: phase("Age at which an index is deleted; `never` keeps it.", "365d"),
    hot_priority: priority("Recovery priority of an index that is written to.", 100),
    warm_priority: priority("Recovery priority of a warm index.", 50),
    cold_priority: priority("Recovery priority of a cold index.", 0),
    shrink_to: z.int().min(1).max(1024).default(1).meta({ doc: "Primary shards of a warm index." }),
    merge_to: z.int().min(1).max(100).default(1).meta({ doc: "Segments per shard of a warm index." }),
    rollover_size: size("With data_stream: a new backing index at so many bytes of a primary shard.", "50GiB"),
    rollover_age: duration("With data_stream: a new backing index after so long.", "1d"),
  })
  .prefault({})
  .meta({ doc: "The lifecycle policy that `setup` makes." });

export const elasticsearchOptions = z.strictObject({
  url: oneOrMore(
    url("Address of a node."),
    "Address of the cluster, or a list of its nodes: where one is down, the others are used.",
  ).meta({ format: "url", example: "https://elasticsearch:9200" }),
  index: z.string().min(1).optional().meta({
    doc: "Index, with strftime conversions (%Y %m %d %H …) filled from the entry's own time in UTC. Not with data_stream.",
    example: DEFAULT_INDEX,
    shown: DEFAULT_INDEX,
  }),
  data_stream: z.string().min(1).optional().meta({
    doc: "Data stream to write to instead of an index. After a rollover a repeat becomes a second copy: at least once.",
    example: "logs-audit-default",
  }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: with `@timestamp`, additions merged. `original`: each entry as it was written, nothing added, for evidence.",
  }),
  api_key: secret("API key, as Elasticsearch shows it encoded.")
    .optional()
    .meta({ example: "${ELASTICSEARCH_API_KEY}" }),
  username: z.string().min(1).optional().meta({ doc: "User of basic authentication; needs `password`." }),
  password: secret("Password of basic authentication.").optional(),
  bearer: secret("Bearer token, such as a service account's.").optional(),
  compression: z
    .enum(["none", "gzip"])
    .default("none")
    .meta({ doc: "Compress requests: a tenth of the traffic for some ten times the CPU." }),
  setup: z.boolean().default(false).meta({
    doc: "Make an index template that takes any audit entry, and a lifecycle policy, before the first write.",
  }),
  template: z
    .strictObject({
      name: z
        .string()
        .regex(/^[a-z0-9][a-z0-9._-]{0,200}$/, "must be lower case letters, digits, dots, dashes or underscores")
        .optional()
        .meta({
          doc: "Name of the template and the policy. By default the index's or the data stream's, without its date.",
        }),
      fields: z.int().min(50).max(10_000).default(300).meta({
        doc: "The most fields of an index that can be searched; entries with others are kept whole all the same.",
      }),
      shards: z.int().min(1).max(1024).default(1).meta({ doc: "Primary shards of a new index." }),
      priority: z.int().min(0).max(1_000_000).default(500).meta({
        doc: "Of several templates that fit an index, the highest priority counts; Elasticsearch's own for `logs-*-*` has 100.",
      }),
      replicas: z.int().min(0).max(20).default(1).meta({ doc: "Copies of each primary shard." }),
    })
    .prefault({})
    .meta({ doc: "The index template that `setup` makes." }),
  lifecycle: lifecycleOptions,
  tls: tlsOptions.optional(),
});
export type ElasticsearchOptions = z.output<typeof elasticsearchOptions>;

/** What zod cannot say. */
export function checkOptions(options: ElasticsearchOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const errors: OptionProblem[] = [...tlsProblems(options.tls)];
  const warnings: OptionProblem[] = [];
  const error = (path: OptionProblem["path"], message: string) => errors.push({ path, message });

  options.url.forEach((text, i) => {
    const { username, password, search, hash, protocol } = new URL(text);
    if (username !== "" || password !== "")
      error(["url", i], "must not hold credentials; use `username` and `password`");
    if (search !== "" || hash !== "") error(["url", i], "must end with its path");
    if (protocol === "http:" && options.tls !== undefined) error(["url", i], "is plain http, so `tls` has no effect");
  });
  if (options.index !== undefined && options.data_stream !== undefined) {
    error(["data_stream"], "cannot be used together with `index`");
  }
  if (options.format === "original" && options.data_stream !== undefined) {
    error(["format"], "`original` adds no `@timestamp`, which a data stream needs");
  }
  const template = options.index ?? DEFAULT_INDEX;
  const problem = timeTemplateProblem(template);
  if (problem !== undefined) error(["index"], problem);
  else {
    // Of the last time that can be written: `%s` is longest then.
    const name = indexNameProblem(timeTemplate(template).format(LAST_NANOS_MS - 1));
    if (name !== undefined) error(["index"], name);
    if (timeTemplate(template).period < 86_400_000) {
      warnings.push({
        path: ["index"],
        message: "makes more than one index a day; many small indices slow a cluster down",
      });
    }
  }
  if (options.setup && options.data_stream === undefined && /^%[A-Za-z]/.test(template)) {
    error(["index"], "must begin with a name, not a date: the template that `setup` makes would fit every index");
  }
  const stream = options.data_stream === undefined ? undefined : indexNameProblem(options.data_stream);
  if (stream !== undefined) error(["data_stream"], stream);

  if ((options.username === undefined) !== (options.password === undefined)) {
    error([options.username === undefined ? "username" : "password"], "is needed too: basic authentication is both");
  }
  const ways = [options.api_key, options.username, options.bearer].filter((way) => way !== undefined).length;
  if (ways > 1) error([], "only one of `api_key`, `username` with `password`, and `bearer` can be used");
  return { errors, warnings };
}

/** https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create: what a name may hold. */
function indexNameProblem(name: string): string | undefined {
  if (/[\\/*?"<>| ,#:]/.test(name)) return 'must not contain any of \\ / * ? " < > | , # : or a space';
  if (name !== name.toLowerCase()) return "must be in lower case";
  if (/^[-_+.]/.test(name)) return "must not start with - _ + or a dot";
  return Buffer.byteLength(name) > 255 ? "must not be longer than 255 bytes" : undefined;
}
