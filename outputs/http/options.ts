import { z } from "zod";
import { oneOrMore, secret, tlsOptions, url } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { endpointProblems } from "../shared/http.ts";
import { tlsProblems } from "../shared/tls.ts";

const status = z.int().min(300).max(599);

export const httpOptions = z.strictObject({
  url: oneOrMore(url("Address."), "Address, with its path and query, or a list of them, used in turn.").meta({
    format: "url",
    example: "https://logs.example.com/ingest",
  }),
  method: z.enum(["POST", "PUT"]).default("POST").meta({ doc: "Method." }),
  body: z.enum(["ndjson", "json_array", "single"]).default("ndjson").meta({
    doc: "`ndjson`: one entry a line. `json_array`: a list of entries. `single`: a request for each entry.",
  }),
  format: z.enum(["json", "original"]).default("json").meta({
    doc: "`json`: entries as JSON, additions merged. `original`: their exact bytes (only with `ndjson`).",
  }),
  template: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({
      doc: "With `body: single`: the request's JSON, with `{field}` in its texts for top-level fields of the entry, and `{record_id}`, which is the same for the same entry, always, and never a field's.",
      example: { text: "{event} by {actor}" },
    }),
  escape: z.enum(["none", "html"]).default("none").meta({
    doc: "What of an entry goes into `template`: `html` writes `&`, `<` and `>` as `&amp;`, `&lt;` and `&gt;`. Slack wants that: else an entry's text could call a whole channel.",
  }),
  add: z
    .record(z.string().min(1), z.union([z.string(), z.number(), z.boolean()]))
    .default({})
    .meta({
      doc: "Members added to each entry that does not have them.",
      example: { service: "loki-mode" },
    }),
  headers: z
    .record(z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, "must be the name of a header"), secret("Value."))
    .default({})
    .meta({
      doc: "Headers; their values are treated as secrets.",
      example: { "DD-API-KEY": "${DD_API_KEY}" },
    }),
  username: z.string().min(1).optional().meta({ doc: "User of basic authentication; needs `password`." }),
  password: secret("Password of basic authentication.").optional(),
  bearer: secret("Bearer token.").optional(),
  compression: z.enum(["none", "gzip"]).default("none").meta({ doc: "Compress requests." }),
  rate: z.number().positive().max(1_000).optional().meta({
    doc: "With `body: single`: the most requests a second.",
    example: 1,
  }),
  retry_on: z.array(status).default([]).meta({
    doc: "Statuses after which the request is made again, beside 408, 425, 429 and those from 500 on; goes before `refuse_on`.",
  }),
  refuse_on: z.array(status).default([400, 422]).meta({
    doc: "Statuses that mean that an entry is at fault: the request is halved until it stands alone, and becomes a dead letter. After any other the output waits.",
  }),
  tls: tlsOptions.optional(),
});
export type HttpOptions = z.output<typeof httpOptions>;

/** Headers that are not the user's to set. */
const OURS = new Set(["content-length", "content-encoding", "transfer-encoding", "connection", "host"]);

/** What zod cannot say. */
export function checkOptions(options: HttpOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const instead = "`username` and `password`, or `headers`";
  const errors = [...tlsProblems(options.tls), ...endpointProblems(options.url, options.tls, instead, { query: true })];
  const error = (path: string, message: string) => errors.push({ path: [path], message });
  if ((options.username === undefined) !== (options.password === undefined)) {
    error(options.username === undefined ? "username" : "password", "is needed too: basic authentication is both");
  }
  if (options.username !== undefined && options.bearer !== undefined) error("bearer", "cannot be used with `username`");
  for (const name of Object.keys(options.headers)) {
    if (OURS.has(name.toLowerCase())) error("headers", `must not set ${name}`);
  }
  if (options.body !== "single") {
    if (options.template !== undefined) error("template", "needs `body: single`");
    if (options.rate !== undefined) error("rate", "needs `body: single`");
  }
  if (options.escape !== "none" && options.template === undefined) error("escape", "needs `template`");
  if (options.format === "original" && options.body !== "ndjson") error("format", "`original` is for `body: ndjson`");
  if (options.format === "original" && Object.keys(options.add).length > 0)
    error("add", "does not go with `format: original`");
  return { errors, warnings: [] };
}

/** The record's id, whatever field of that name an entry has. */
export const RECORD_ID = "record_id";

/** `{field}` in a template's texts. JSON's own braces are followed by a quote, so they are none. */
export const PLACEHOLDER = /\{([\w@.-]{1,256})\}/;

export function templateFields({ template }: Pick<HttpOptions, "template">): string[] {
  if (template === undefined) return [];
  return [...JSON.stringify(template).matchAll(new RegExp(PLACEHOLDER, "g"))].map(([, name]) => name!);
}
