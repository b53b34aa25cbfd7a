import { z } from "zod";
import { duration, oneOrMore, secret, tlsOptions, url } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { endpointProblems } from "../shared/http.ts";
import { tlsProblems } from "../shared/tls.ts";
import { OWN_FIELDS } from "./body.ts";

const SHORTEST_INTERVAL_MS = 10;
const DEFAULT_FIELDS = ["host", "source", "sourcetype", "index", "time"];

const metadata = (doc: string) => z.string().min(1).max(1_024).optional().meta({ doc });

export const splunkOptions = z.strictObject({
  url: oneOrMore(
    url("Address of a collector."),
    "Address of the collector, without its path, or a list of them, used in turn: where one is down, the others are used.",
  ).meta({ format: "url", example: "https://splunk:8088" }),
  token: secret("Token of the HTTP Event Collector.").meta({ example: "${SPLUNK_HEC_TOKEN}" }),
  mode: z.enum(["event", "raw"]).default("event").meta({
    doc: "`event`: entries in an envelope with their time, host and indexed fields. `raw`: the lines alone; Splunk finds the time.",
  }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: one object an entry, additions merged. `original`: the exact bytes of the source.",
  }),
  index: metadata("Index; by default the token's."),
  source: metadata("Source; by default the path of the file an entry comes from, or the input's name."),
  sourcetype: z.string().min(1).max(1_024).default("_json").meta({ doc: "Source type." }),
  host: metadata("Host; by default `service.node`."),
  indexed_fields: z
    .array(z.string().min(1).max(256))
    .max(50)
    .default([])
    .meta({
      doc: "Top-level fields to be indexed as well (texts, numbers, true and false; Splunk keeps all as texts), so that `tstats` finds them; only with `mode: event`.",
      example: ["event", "actor"],
    }),
  acknowledge: z.boolean().default(false).meta({
    doc: "Ask for indexer acknowledgement: an entry counts as delivered when it is indexed, not when the collector has it in memory. The token must have it switched on.",
  }),
  ack_timeout: duration("How long an acknowledgement may take before the entries are sent again.", "60s"),
  ack_interval: duration("How often acknowledgements are asked for.", "1s"),
  compression: z.enum(["none", "gzip"]).default("none").meta({ doc: "Compress requests." }),
  tls: tlsOptions.optional(),
});
export type SplunkOptions = z.output<typeof splunkOptions>;

/** What zod cannot say. */
export function checkOptions(options: SplunkOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const errors = [...tlsProblems(options.tls), ...endpointProblems(options.url, options.tls, "`token`")];
  const warnings: OptionProblem[] = [];
  if (options.ack_interval < SHORTEST_INTERVAL_MS)
    errors.push({ path: ["ack_interval"], message: "must be at least 10ms" });
  if (options.ack_timeout <= options.ack_interval) {
    errors.push({ path: ["ack_timeout"], message: "must be longer than `ack_interval`" });
  }
  if (options.mode === "raw" && options.indexed_fields.length > 0) {
    warnings.push({ path: ["indexed_fields"], message: "has no effect with `mode: raw`" });
  }
  for (const [i, name] of options.indexed_fields.entries()) {
    const message = fieldProblem(name);
    if (message !== undefined) warnings.push({ path: ["indexed_fields", i], message });
  }
  return { errors, warnings };
}

function fieldProblem(name: string): string | undefined {
  if (OWN_FIELDS.includes(name))
    return `${name} is a field of every event already, which the entry's own does not replace`;
  if (DEFAULT_FIELDS.includes(name)) return `${name} is a default field of Splunk's: the event would have it twice`;
  if (name.startsWith("_")) return "Splunk hides fields whose names begin with an underscore";
  return undefined;
}

/** The collector's root: people copy addresses with the path of one endpoint. */
export function rootOf(address: string): string {
  return address.replace(/\/+$/, "").replace(/\/services\/collector(\/(event|raw|health|ack)(\/1\.0)?)?$/, "");
}
