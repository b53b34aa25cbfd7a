import { defineOutput } from "../../agent/api/plugin.ts";
import { checkOptions, httpOptions, templateFields } from "./options.ts";
import { HttpOutput } from "./output.ts";

export default defineOutput({
  name: "http",
  summary: "Posts entries to any HTTP endpoint: lines or lists of JSON, or a small document for each entry (webhooks).",
  options: httpOptions,
  example: { url: "https://logs.example.com/ingest", bearer: "${INGEST_TOKEN}", compression: "gzip" },
  notes: `
Any 2xx means stored. 408, 425, 429 and 5xx are tried again (after \`Retry-After\`, in seconds or a date); after 400 and 422 the request is halved until
the entry at fault stands alone, 413 halves as well; after anything else (401, 403, 404, a redirect, which is not followed) the output waits and says
why. \`refuse_on\` and \`retry_on\` change that. The promise is at least once.

\`validate --connect\` asks with a GET: 401, 403 and 5xx (not 501) mean that the destination would not take entries; any other answer will do.

Proxies are taken from \`HTTPS_PROXY\`, \`HTTP_PROXY\` and \`NO_PROXY\`. Secrets from files are read at every request, so a renewed key counts at once.

### Datadog

It takes a list of entries, 5 MB and 1000 of them at most. What is larger than 1 MB it cuts without a word, and what is older than 18 hours it need not
take: after a longer outage look whether the oldest arrived.

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

### Chat and incident webhooks

They take one small document at a time, and only so many. With \`body: single\` each entry is a request, made from \`template\`, at most \`rate\` of them a
second; the others wait in the queue. Give such an output a \`match\` or filters that leave little, and \`queue: { on_full: drop_oldest }\`
or \`max_age\`, so that a flood of entries does not hold up the rest.

A chat (Slack takes about one message a second):

\`\`\`yaml
pipeline:
  outputs:
    - name: http
      match: '*'
      url: https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX
      body: single
      template: { text: '{event} by {actor}' }
      escape: html
      rate: 1
\`\`\`

Microsoft Teams (a workflow that posts to a channel) wants a card:

\`\`\`yaml
pipeline:
  outputs:
    - name: http
      match: '*'
      url: '\${TEAMS_WORKFLOW_URL:-https://example.com/workflows/1}'
      body: single
      template:
        type: message
        attachments:
          - contentType: application/vnd.microsoft.card.adaptive
            content: { type: AdaptiveCard, version: '1.4', body: [{ type: TextBlock, wrap: true, text: '{event} by {actor}' }] }
      rate: 3
\`\`\`

PagerDuty opens one incident for one \`dedup_key\`, also where a request was repeated:

\`\`\`yaml
pipeline:
  outputs:
    - name: http
      match: '*'
      url: https://events.pagerduty.com/v2/enqueue
      body: single
      template:
        routing_key: '\${PAGERDUTY_ROUTING_KEY:-R0000000000000000000000000000000}'
        event_action: trigger
        dedup_key: '{record_id}'
        payload: { summary: '{event} by {actor}', source: '{host}', severity: warning }
      rate: 2
\`\`\`
`.trim(),
  limits: { records: 5_000, bytes: 4_000_000, overhead: 64 },
  defaults: { concurrency: 1 },
  guarantee: () => "at-least-once",
  fields: (options) => [...templateFields(options), ...Object.keys(options.add)],
  check: checkOptions,
  create: (options, context) => new HttpOutput(options, context),
});
