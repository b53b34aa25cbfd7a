import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
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
events of a request in order of time: they are sorted, those of the same time stay in their order, and requests are cut so that none spans more than 24 hours.

The service rejects events older than 14 days (or than the group's retention) and more than 2 hours ahead: exactly those become dead letters. Where a whole
backlog is that old, the output waits and says so; \`out_of_range: read_time\` sends such entries with the present time.

\`retention_days\` or \`preset\` is set on groups that this agent makes, never on others. The service takes certain numbers of days: the next higher one is
used (hipaa 2192, soc2 365).

The promise is at least once: the service keeps repeats. It needs \`logs:PutLogEvents\`, \`logs:DescribeLogGroups\` (for \`validate --connect\`), and with
\`auto_create\` \`logs:CreateLogGroup\`, \`logs:CreateLogStream\` and \`logs:PutRetentionPolicy\`.
`.trim(),
  limits: { records: 10_000, bytes: 1_000_000, overhead: 26 },
  defaults: { concurrency: 1 },
  guarantee: () => "at-least-once",
  fields: () => viewFields.time,
  check: checkOptions,
  create: (options, context) => new CloudwatchOutput(options, context),
});
