import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { keepings } from "./keeping.ts";
import { checkOptions, cloudwatchOptions } from "./options.ts";
import { CloudwatchOutput } from "./output.ts";

export default defineOutput({
  name: "cloudwatch",
  summary: "Writes entries to CloudWatch Logs, within its limits; groups and streams are made on demand.",
  options: cloudwatchOptions,
  example: {
    log_group: "/audit/dashboard",
    log_stream: "$TAG-$HOSTNAME-%Y-%m-%d",
    region: "eu-central-1",
    preset: "soc2",
  },
  notes: `
An event is the entry's JSON with what filters added, at the entry's own time (milliseconds; when it was read, where it has none). The service wants the
events of a request in order of time: they are sorted, those of the same millisecond stay in their order. A request is full at 1,048,576 bytes (26 counted on
top of each event), at 10,000 events, or where it would span more than 24 hours.

The service rejects events older than 14 days (or than the group's retention) and more than 2 hours ahead of its clock, and says which: exactly those
become dead letters, however many they are. So a first start on old files, or an outage of more than two weeks, makes dead letters of what is too old, and
the rest goes on (\`ignore_older: 14d\` of the input leaves old files out of a first start). \`out_of_range: read_time\` sends them with the time when they
were read, or with the present time where that is too old as well; the entry keeps its own. An entry above 1 MB (1,048,550 bytes as sent) is a dead letter,
or with \`too_large: cut\` ends with \` [cut]\` and is no JSON any more. Where a region still has the older limit of 256 KB, what is above it becomes a
dead letter in either case.

An event is a text: with \`format: original\` an entry that is not UTF-8 is sent as JSON, what is left of it in \`message\` and its bytes in
\`message_base64\`.

The requests of a stream follow one another, so what is of the same millisecond stays in order; up to four streams are written at a time. With \`concurrency\`
above 1 a later batch may overtake one that has to be tried again. When the service throttles or is away, everything pauses; what was stored by then is not
sent again.

What a tag or a host name has that a name cannot hold becomes \`_\`, and names are cut at 512 characters. A template that makes a stream for every minute
or for every one of thousands of tags costs a request or more for each. For entries that are too old or too new alone no stream is made.

\`retention_days\` or \`preset\`, \`kms_key_id\` and \`log_group_class\` are for groups that this agent makes, before their first entry, and never for others. The
service takes certain numbers of days: the next higher one is used (hipaa 2192, soc2 365).

The promise is at least once: the service keeps repeats. It needs \`logs:PutLogEvents\`, and with \`auto_create\` also \`logs:CreateLogGroup\`,
\`logs:CreateLogStream\` and, for a retention, \`logs:PutRetentionPolicy\`. \`validate --connect\` asks with \`logs:DescribeLogGroups\`; \`run\` does not need it.
`.trim(),
  limits: { records: 10_000, bytes: 1_000_000, overhead: 26 },
  defaults: { concurrency: 1 },
  guarantee: () => "at-least-once",
  fields: () => viewFields.time,
  check: checkOptions,
  keeps: keepings,
  create: (options, context) => new CloudwatchOutput(options, context),
});
