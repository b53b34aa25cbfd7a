import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { messageFields } from "./message.ts";
import { checkOptions, syslogOptions } from "./options.ts";
import { SyslogOutput } from "./output.ts";

export default defineOutput({
  name: "syslog",
  summary:
    "Sends entries to a syslog server: RFC 5424 or RFC 3164 over UDP, TCP, TLS or RELP, or as the dashboard's own forwarder does.",
  options: syslogOptions,
  example: { host: "syslog.example.com", protocol: "tls", tls: { ca: "/etc/ssl/syslog-ca.pem" } },
  notes: `
The severity is the input's or the option's; else that of the entry's level, and where it has none, of what happened (deletions, logins, denials and
failures are warnings). The time is the entry's with its offset, to the microsecond; \`MSGID\` is the event's name, \`PROCID\` its \`pid\`.

What is promised differs by \`protocol\`:

- \`relp\`: at least once. An entry counts as delivered when the server has acknowledged it.
- \`tcp\`, \`tls\`: at least once as far as the server's socket: an entry counts as delivered when the server's system has acknowledged its bytes. What was
  sent during the last ten seconds (16 MiB at most) is kept in memory, and sent again when the connection breaks. What the server had read and not yet
  stored when it crashed, nobody knows.
- \`udp\`: best effort. Datagrams are lost on the way, and by full buffers, without a word.

rsyslog takes messages up to 8 KiB unless told otherwise (\`$MaxMessageSize\`), and with octet counting a longer one costs the message after it as well: raise
the limit there, or set \`max_message_size\` here.

\`format: loki\` sends the bytes that Python's SysLogHandler sends for the dashboard: \`<132>\` for deletions, logins, kills, stops and tokens and for failures, else
\`<134>\`, then \`loki-audit: \`, the entry as ASCII JSON without spaces, and one NUL.
`.trim(),
  limits: { records: 5_000, bytes: 1024 * 1024, overhead: 256 },
  defaults: { concurrency: 1 },
  guarantee: ({ protocol }) => (protocol === "udp" ? "best-effort" : "at-least-once"),
  fields: (options) => [...viewFields.level, ...viewFields.time, ...messageFields(options)],
  check: checkOptions,
  create: (options, context) => new SyslogOutput(options, context),
});
