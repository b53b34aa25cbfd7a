import { defineOutput } from "../../agent/api/plugin.ts";
import { viewFields } from "../../agent/api/view.ts";
import { messageFields } from "./message.ts";
import { checkOptions, serversOf, syslogOptions } from "./options.ts";
import { SyslogOutput } from "./output.ts";

export default defineOutput({
  name: "syslog",
  summary:
    "Sends entries to a syslog server: RFC 5424 or RFC 3164 over UDP, TCP, TLS or RELP, or as the dashboard's own forwarder does.",
  options: syslogOptions,
  example: { host: "syslog.example.com", protocol: "tls", tls: { ca: "/etc/ssl/syslog-ca.pem" } },
  notes: `
The severity is the input's or the option's; else the one that the entry's level names (\`notice\`, \`critical\`, \`alert\` and the numbers 0 to 7 included), and
where it has none, that of what happened: an error for names that end in \`.fail\`, \`.error\` or \`_failed\`; a warning for delete, kill, stop, login, logout,
create_token, revoke_token, for changes of tokens, and where \`success\` is false, null or 0. The time is the entry's with its offset, to the microsecond; an
entry without one, or without its zone, has the time it was read, in UTC. \`MSGID\` is the event's name or action, \`PROCID\` its \`pid\`. With \`rfc3164\` the time
is this host's local one to the second, and the tag has the \`pid\` in brackets.

What is promised differs by \`protocol\`:

- \`relp\`: at least once. An entry counts as delivered when the server has acknowledged it.
- \`tcp\`, \`tls\`: at least once as far as the server's socket: an entry counts as delivered when the server's system has acknowledged its bytes. The
  last of it (16 MiB at most) is kept in memory until the connection has proved alive ten seconds later, and sent again when it breaks before. What the
  server had read and not yet stored when it crashed, nobody knows; neither what it had not read when this agent was stopped at the same time.
- \`udp\`: best effort. Datagrams are lost on the way, and by full buffers, without a word. At most some 10,000 a second are sent, so that the server can follow.

Of several servers the first one that takes messages is used. One that fails is left for the next at once and tried again after a minute, later
each time, an hour at most; when it is back it has its place again. (UDP hears of failures seldom, and stays where it works.)

rsyslog takes messages up to 8 KiB unless told otherwise (\`maxMessageSize\`) and cuts longer ones. With octet counting one above \`imtcp\`'s \`maxFrameSize\`
(200,000 bytes) also takes the messages after it along: raise both there, or set \`max_message_size\` here. It shows control characters as \`#012\` unless
\`parser.escapeControlCharactersOnReceive\` is off.

\`format: loki\` sends the bytes that Python's SysLogHandler sends for the dashboard: \`<132>\` where the action is one of delete, kill, stop, login, logout,
create_token, revoke_token, or \`success\` is false, null or 0, else \`<134>\`; then \`loki-audit: \`, the entry as ASCII JSON without spaces, numbers as they
were written, and one NUL.
`.trim(),
  limits: { records: 10_000, bytes: 4 * 1024 * 1024, overhead: 256 },
  defaults: { concurrency: 1 },
  guarantee: ({ protocol }) => (protocol === "udp" ? "best-effort" : "at-least-once"),
  fields: (options) => [...viewFields.level, ...viewFields.time, ...messageFields(options)],
  check: checkOptions,
  tlsServers: (options) => (options.protocol === "tls" ? serversOf(options) : []),
  create: (options, context) => new SyslogOutput(options, context),
});
