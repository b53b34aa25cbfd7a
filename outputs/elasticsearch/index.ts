import type { OutputContext } from "../../agent/api/context.ts";
import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { STAMP, TIME_FROM } from "./body.ts";
import { keepings } from "./keeping.ts";
import { checkOptions, elasticsearchOptions } from "./options.ts";
import { ElasticsearchOutput } from "./output.ts";

export default defineOutput({
  name: "elasticsearch",
  summary:
    "Writes entries to Elasticsearch 8 or 9 as documents with stable ids, so that a repeat is not a second copy.",
  options: elasticsearchOptions,
  example: { url: "https://elasticsearch:9200", api_key: "${ELASTICSEARCH_API_KEY}" },
  notes: `
The document is the entry's own JSON with \`@timestamp\` (from the entry's time, to the nanosecond) and what filters added. NaN and
Infinity become null. An entry without a usable time gets the time it was read, marked \`time_from: agent\`.

With \`format: original\` the document is the entry as it was written, without \`@timestamp\` and without what filters added; the index is still
named by its time. What is no JSON object, or holds NaN or Infinity, which Elasticsearch does not take, goes as with \`json\`.

Its \`_id\` is the record's id and it is written with \`create\`: what was sent before is answered 409 and counted as delivered. A 409 on a
record that was never sent before is compared with the document that stands there (this needs the \`read\` privilege); another document
under our id makes the record a dead letter, \`id_collision\`.

What is the document's fault (a mapping it does not fit) becomes a dead letter with the server's reason, also where a data stream put it
into its failure store. An entry whose names have more than 1,000 levels (\`a.b.c\` has three), which would end the server, is sent as the
text of \`message\`. What is the operator's to mend
(a wrong key, a read-only index, no shards left) leaves the output waiting, and it says why.

\`setup: true\` makes an index template in which \`details\` and \`metadata\` may be an object, a string, a number or null in one index, and
everything can be searched as a keyword (\`details.provider: claude\`), and a lifecycle policy: for indices named by date counted from that
date, for a data stream with rollover. Neither is touched where one of that name exists that this agent did not make.

Without it, and without a template of your own, Elasticsearch decides by the first entries what a field is, and refuses those where it is something
else: where \`details\` is an object in one log and a text in another, as with the dashboard's and the agents', those of one shape become dead letters.

With \`data_stream\` (or an alias that rolls over) the promise is at least once: after a rollover a repeat goes to another index.
`.trim(),
  limits: { records: 5_000, bytes: 8_000_000, overhead: 220 },
  defaults: { concurrency: 2 },
  guarantee: (options) => (options.data_stream === undefined ? "exactly-once" : "at-least-once"),
  fields: () => [...viewFields.time, STAMP, TIME_FROM],
  check: checkOptions,
  keeps: keepings,
  create: (options, context: OutputContext) => new ElasticsearchOutput(options, context),
});
