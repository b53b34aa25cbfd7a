import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { HASH_FIELDS } from "./body.ts";
import { checkOptions, splunkOptions } from "./options.ts";
import { SplunkOutput } from "./output.ts";

export default defineOutput({
  name: "splunk_hec",
  summary: "Sends entries to Splunk's HTTP Event Collector, with indexer acknowledgement where it is switched on.",
  options: splunkOptions,
  example: { url: "https://splunk:8088", token: "${SPLUNK_HEC_TOKEN}", index: "audit", acknowledge: true },
  notes: `
An event is the entry's own JSON with what filters added, its \`time\` the entry's (to the nanosecond). An entry without a usable time, or with one
before 1970, has the time when it was read, and the indexed field \`time_from: agent\`. NaN and Infinity become null (not with \`mode: raw\` and
\`format: original\`, where every line stays as it is). Indexed fields beside it: \`tag\`, \`record_id\` (the same for
the same entry, always), and those of \`indexed_fields\`.

**Splunk hides fields whose names begin with an underscore**, such as \`_integrity_hash\`: the hash of the chain is also sent as the indexed
field \`integrity_hash\` (from \`_integrity_hash\` or \`chain_hash\`).

The promise is at least once. With \`acknowledge: true\` an entry counts as delivered when it is indexed; what is not acknowledged within
\`ack_timeout\`, or may have been lost by a collector that restarted, is sent again. Without it the collector has the entries in memory when they count
as delivered: a crash of Splunk at that moment loses them. Repeats are told apart by \`record_id\`: \`| dedup record_id\`.

As an acknowledgement takes seconds, 16 requests may wait for theirs at once (4 without), and \`timeout\` is 30 s more than \`ack_timeout\`;
\`concurrency\` and \`timeout\` change that. Splunk Cloud offers acknowledgement to few kinds of clients: ask for it, or go without. Behind a load
balancer it needs sticky sessions by cookie, which is sent back with the questions for acknowledgements only, or a list of the collectors in \`url\`.

An event that the collector refuses as invalid becomes a dead letter, the others of the request are sent again (Splunk has kept those that stood before
it, so they arrive twice). A wrong token, a wrong index and a token without acknowledgement leave the output waiting, and it says so. While a collector
is busy or down (429, 503) the entries wait, and other collectors of \`url\` are used. A single entry above the collector's \`max_content_length\` becomes
a dead letter; larger requests are halved. Redirects are not followed.

With \`mode: raw\` Splunk alone finds the time and where events end: each entry is one line (line breaks between its tokens become spaces), and a source
type such as \`_json\` breaks there. There are no indexed fields, so no \`record_id\` either.
`.trim(),
  limits: { records: 5_000, bytes: 800_000, overhead: 400 },
  // An acknowledgement takes seconds, so that many requests must be waiting for theirs to keep a collector busy.
  defaults: ({ acknowledge, ack_timeout }) =>
    acknowledge ? { concurrency: 16, timeout: `${ack_timeout / 1000 + 30}s` } : { concurrency: 4 },
  guarantee: () => "at-least-once",
  fields: ({ indexed_fields }) => [...viewFields.time, ...HASH_FIELDS, ...indexed_fields],
  check: checkOptions,
  create: (options, context) => new SplunkOutput(options, context),
});
