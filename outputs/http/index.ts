import { defineOutput } from "../../agent/api/plugin.ts";
import { checkOptions, httpOptions, templateFields } from "./options.ts";
import { HttpOutput } from "./output.ts";

export default defineOutput({
  name: "http",
  summary: "Posts entries to any HTTP endpoint: lines or lists of JSON, or a small document for each entry (webhooks).",
  options: httpOptions,
  example: { url: "https://logs.example.com/ingest", bearer: "${INGEST_TOKEN}", compression: "gzip" },
  notes: `
Any 2xx means stored. 408, 425, 429 and 5xx are tried again (after \`Retry-After\`); after 400 and 422 the request is halved until the entry at fault stands alone,
413 halves as well; after anything else (401, 403, 404, a redirect) the output waits and says why. The promise is at least once.

Datadog takes a list of entries, 5 MB and 1000 of them at most:

\`\`\`yaml
pipeline:
  outputs:
    - name: http
      match: '*'
      url: https://http-intake.logs.datadoghq.com/api/v2/logs
      body: json_array
      headers: { DD-API-KEY: '\${DD_API_KEY}' }
      add: { ddsource: audit-agent, service: loki-mode }
      compression: gzip
      batch: { records: 1000, bytes: 4M }
\`\`\`

A chat or incident webhook takes one small document at a time:

\`\`\`yaml
pipeline:
  outputs:
    - name: http
      match: '*'
      url: https://hooks.example.com/services/T000/B000
      body: single
      template: { text: '{event} by {actor}' }
      rate: 1
\`\`\`
`.trim(),
  limits: { records: 5_000, bytes: 4_000_000, overhead: 64 },
  defaults: { concurrency: 1 },
  guarantee: () => "at-least-once",
  fields: (options) => [...templateFields(options), ...Object.keys(options.add)],
  check: checkOptions,
  create: (options, context) => new HttpOutput(options, context),
});
