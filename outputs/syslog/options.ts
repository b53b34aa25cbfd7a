import { z } from "zod";
import { oneOrMore, optionalSize, tlsOptions } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { FACILITIES, SEVERITIES } from "../../agent/api/syslog-names.ts";
import { tlsProblems } from "../shared/tls.ts";

/** RFC 5426 (UDP), RFC 6587 (TCP), RFC 5425 (TLS); rsyslog's documents for RELP. */
export const DEFAULT_PORTS = { udp: 514, tcp: 514, tls: 6514, relp: 2514 } as const;
/** The most a datagram over IPv4 can hold. */
export const MAX_DATAGRAM = 65_507;
const MAX_FRAME = 16 * 1024 * 1024;

/** RFC 5424, 6: SD-NAME. */
const SD_NAME = /^[!#-<>-\\^-~]{1,32}$/;

/** RFC 5424, 6: PRINTUSASCII without what would end the field. */
const word = (most: number, doc: string) =>
  z
    .string()
    .regex(new RegExp(`^[\\x21-\\x7e]{1,${most}}$`), `must be 1 to ${most} printable ASCII characters without spaces`)
    .meta({ doc });

export const syslogOptions = z.strictObject({
  host: oneOrMore(
    z.string().min(1),
    "Server, or a list of them (each may have its port: `host:port`): the first one is used, the next ones while it takes nothing.",
  ).meta({ example: "syslog.example.com" }),
  port: z
    .union([
      z.int(),
      z
        .string()
        .regex(/^\d{1,5}$/, "must be a port, 1 to 65535")
        .transform(Number),
    ])
    .pipe(z.int().min(1).max(65_535))
    .optional()
    .meta({ doc: "Port; by default 514 for UDP and TCP, 6514 for TLS, 2514 for RELP." }),
  protocol: z.enum(["udp", "tcp", "tls", "relp"]).default("udp").meta({
    doc: "`udp` may lose messages, `tcp` and `tls` seldom do, `relp` has each acknowledged by the server. Only `tls` is encrypted.",
  }),
  format: z.enum(["rfc5424", "rfc3164", "loki"]).default("rfc5424").meta({
    doc: "`loki`: byte for byte what the dashboard's own forwarder sends; `facility`, `severity`, `framing` and names have no part in it.",
  }),
  framing: z.enum(["octet_counting", "newline"]).default("octet_counting").meta({
    doc: "How messages are told apart on TCP and TLS (RFC 6587). With `newline` a line break inside one becomes a space.",
  }),
  facility: z.enum(FACILITIES).default("local0").meta({ doc: "Facility, where the input sets none." }),
  severity: z.enum(SEVERITIES).optional().meta({
    doc: "Severity of all entries, where the input sets none; by default by level and event, see below.",
  }),
  app_name: word(48, "Application's name; of `rfc3164` the tag.").default("audit-agent"),
  hostname: word(255, "Host's name; by default `service.node`.").optional(),
  message: z.enum(["json", "original", "template"]).default("json").meta({
    doc: "`json`: the entry as compact JSON, additions merged. `original`: its exact bytes. `template`: as `template` says.",
  }),
  template: z.string().min(1).max(4_096).optional().meta({
    doc: "Message with `{field}` for top-level fields of the entry; needs `message: template`. What is no JSON is sent as with `json`.",
    example: "{event} by {actor}",
  }),
  structured_data: z
    .array(
      z
        .string()
        .regex(SD_NAME, 'must be the name of a parameter: 1 to 32 printable ASCII characters without = ] " and spaces'),
    )
    .default(["tag", "record_id"])
    .meta({
      doc: "Parameters of the structured data (`rfc5424`): `tag`, `record_id`, `chain_hash`, or top-level fields of the entry.",
    }),
  sd_id: z
    .string()
    .regex(SD_NAME, 'must be 1 to 32 printable ASCII characters without = ] " and spaces')
    .default("audit@32473")
    .meta({ doc: "Name of the structured data element; 32473 is the enterprise number for examples." }),
  max_message_size: optionalSize(
    "Longer messages are cut or kept as dead letters; by default 65507 with UDP and 16MiB else.",
  ),
  too_long: z.enum(["cut", "dead_letter"]).default("cut").meta({
    doc: "What becomes of longer messages: `cut` ends them with ` [cut]` and leaves out parameters that have no room.",
  }),
  tls: tlsOptions.optional(),
});
export type SyslogOptions = z.output<typeof syslogOptions>;

type Sized = Pick<SyslogOptions, "max_message_size" | "protocol" | "format">;

export function sizeLimit(options: Sized): number {
  return options.max_message_size ?? largest(options);
}

/** With `loki` one byte of a datagram is the NUL behind the message. */
function largest({ protocol, format }: Omit<Sized, "max_message_size">): number {
  if (protocol !== "udp") return MAX_FRAME;
  return format === "loki" ? MAX_DATAGRAM - 1 : MAX_DATAGRAM;
}

/** What tells messages apart on the wire. */
export function framingOf({ protocol, format, framing }: SyslogOptions): "octets" | "newline" | "nul" | "none" {
  // Python's SysLogHandler ends every message so, on UDP as well.
  if (format === "loki") return "nul";
  if (protocol !== "tcp" && protocol !== "tls") return "none";
  return framing === "newline" ? "newline" : "octets";
}

export interface Server {
  readonly host: string;
  readonly port: number;
}

/** `host`, `host:port`, `[::1]:port`, `::1`. */
export function serversOf({ host, port, protocol }: Pick<SyslogOptions, "host" | "port" | "protocol">): Server[] {
  return host.map((text) => {
    const found = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+)(?::(\d+))?$/.exec(text);
    const own = found?.[2] === undefined ? undefined : Number(found[2]);
    return { host: found?.[1] ?? text, port: own ?? port ?? DEFAULT_PORTS[protocol] };
  });
}

/** What zod cannot say. */
export function checkOptions(options: SyslogOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const errors = tlsProblems(options.tls);
  const warnings: OptionProblem[] = [];
  const { protocol, format } = options;
  for (const [i, { host, port }] of serversOf(options).entries()) {
    if (host === "" || /[\s/@]/.test(host) || port < 1 || port > 65_535) {
      errors.push({ path: ["host", i], message: "must be a host name or an address, with or without `:port`" });
    }
  }
  if (options.tls !== undefined && protocol !== "tls") {
    errors.push({ path: ["tls"], message: `has no effect with \`protocol: ${protocol}\`; set \`protocol: tls\`` });
  }
  if ((options.message === "template") !== (options.template !== undefined)) {
    errors.push({ path: ["template"], message: "and `message: template` belong together" });
  }
  if (format === "loki" && options.message !== "json") {
    errors.push({ path: ["message"], message: "is always `json` with `format: loki`" });
  }
  if (format === "loki" && protocol === "relp") {
    errors.push({ path: ["format"], message: "`loki` is for UDP, TCP and TLS" });
  }
  if (options.structured_data.length > 0 && format === "rfc5424" && !/^[^@]+@\d+(\.\d+)*$/.test(options.sd_id)) {
    const message = "is no `name@enterprise-number`: names without one are IANA's to give (RFC 5424, 7)";
    warnings.push({ path: ["sd_id"], message });
  }
  const limit = sizeLimit(options);
  if (limit < 480) errors.push({ path: ["max_message_size"], message: "must be at least 480 (RFC 5426)" });
  if (protocol === "udp" && limit > largest(options)) {
    errors.push({ path: ["max_message_size"], message: `cannot be more than ${largest(options)} with UDP` });
  }
  if (protocol === "udp") {
    warnings.push({
      path: ["protocol"],
      message: "`udp` loses messages without a word; use tls or relp where they count",
    });
  }
  if (protocol === "tcp" || protocol === "relp") {
    warnings.push({
      path: ["protocol"],
      message: `\`${protocol}\` is not encrypted: anybody in between can read the log`,
    });
  }
  return { errors, warnings };
}
