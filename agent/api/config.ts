/** A configuration, loaded, interpolated and wholly validated: what `config/` makes and `agent/pipeline` runs. */
import { z } from "zod";
import { duration, optionalDuration, path, secret, size } from "./options.ts";
import type { AnyOutputDefinition, FilterDefinition, InputDefinition } from "./plugin.ts";

export const queueOptions = z
  .strictObject({
    max_bytes: size("The most the queue may take on disk.", "1GiB"),
    segment_bytes: size("Size of one segment file.", "32MiB"),
    reserve_bytes: size("Room beyond max_bytes for deleted files that only this process still holds open.", "128MiB"),
    compression: z.enum(["none", "zstd"]).default("none").meta({ doc: "Compress blocks on disk." }),
    encrypt: z
      .boolean()
      .default(false)
      .meta({ doc: "Encrypt blocks and dead letters on disk with AES-256-GCM; needs `key`." }),
    key: secret("Key of the encryption: 32 bytes as 64 hex digits or base64.")
      .optional()
      .meta({ example: "${file:/run/secrets/audit-agent-key}" }),
    previous_keys: z
      .array(secret("An older key."))
      .default([])
      .meta({ doc: "Older keys, so that what they encrypted can still be read." }),
  })
  .prefault({})
  .meta({ doc: "The disk queue." });

export const deadLetterOptions = z
  .strictObject({
    max_bytes: size("The most dead letters may take on disk; the oldest go first, counted as lost.", "256MiB"),
    max_age: duration("Dead letters older than this are removed, counted as lost.", "90d"),
  })
  .prefault({})
  .meta({ doc: "What destinations refused for good." });

export const serviceOptions = z
  .strictObject({
    data_dir: path("Where the queue and its cursors live. One agent only.").default("/var/lib/audit-agent"),
    node: z
      .string()
      .regex(/^[\w.-]{1,128}$/, "must be 1 to 128 letters, digits, _ . or -")
      .optional()
      .meta({
        doc: "Name of this host in record ids. By default the host name at first start, kept in the data directory.",
      }),
    log_level: z
      .enum(["debug", "info", "warn", "error", "silent"])
      .default("info")
      .meta({ doc: "What the agent logs about itself, to standard error." }),
    log_format: z
      .enum(["auto", "pretty", "json"])
      .default("auto")
      .meta({ doc: "`auto`: pretty on a terminal, JSON elsewhere." }),
    shutdown_timeout: duration("How long a stop may take before what is left stays in the queue.", "10s"),
    watch_config: z
      .boolean()
      .default(false)
      .meta({ doc: "Reload when the configuration file changes, as SIGHUP does." }),
    orphans: z
      .enum(["keep", "discard"])
      .default("keep")
      .meta({ doc: "What to do with the backlog of an output that is no longer configured." }),
    http: z
      .strictObject({
        listen: z
          .string()
          .regex(/^[^\s]+:\d{1,5}$/, "must be host:port")
          .default("127.0.0.1:2020")
          .meta({
            doc: "Address of the page and of all it asks for. Health checks and metrics answer everybody; the rest needs the token of the file http-token in the data directory. Any other address than loopback needs `tls`.",
          }),
        probe_listen: z
          .string()
          .regex(/^[^\s]+:\d{1,5}$/, "must be host:port")
          .optional()
          .meta({
            doc: "Where /healthz, /readyz and /metrics answer too, and nothing else: for kubelet and Prometheus.",
            example: "0.0.0.0:2021",
          }),
        tls: z
          .strictObject({
            cert: path("Certificate with its chain, PEM."),
            key: path("Its private key, PEM."),
          })
          .optional()
          .meta({ doc: "Serve `listen` over TLS." }),
      })
      .optional()
      .meta({ doc: "The HTTP server; off unless given." }),
    queue: queueOptions,
    dead_letters: deadLetterOptions,
  })
  .prefault({})
  .meta({ doc: "Settings of the agent itself." });
export type ServiceOptions = z.output<typeof serviceOptions>;

/** Options every output takes, beside its own. */
export const outputOptions = z.object({
  batch: z
    .strictObject({
      records: z
        .int()
        .min(1)
        .optional()
        .meta({ doc: "The most records in one write; by default the destination's limit." }),
      bytes: size("The most bytes in one write, as encoded.", "4MiB").optional(),
      linger: optionalDuration("How long a batch may wait to fill up."),
    })
    .prefault({})
    .meta({ doc: "How many records go into one write." }),
  concurrency: z.int().min(1).max(64).optional().meta({ doc: "How many writes may be under way at once." }),
  timeout: optionalDuration("How long one write may take."),
  retry: z
    .strictObject({
      initial: duration("First delay after a failure; doubled each time, with full jitter.", "1s"),
      max: duration("The longest delay.", "60s"),
      attempts: z.int().min(1).optional().meta({
        doc: "After so many attempts a record becomes a dead letter. By default without limit: an outage loses nothing.",
      }),
    })
    .prefault({})
    .meta({ doc: "What happens after a failure." }),
  queue: z
    .strictObject({
      on_full: z.enum(["block", "drop_oldest"]).default("block").meta({
        doc: "When the queue is full because of this output: let the inputs wait, or give up its oldest records, counted as lost.",
      }),
      max_age: optionalDuration("Records that waited longer are given up, counted as lost."),
      start: z
        .enum(["end", "oldest"])
        .default("end")
        .meta({ doc: "Where a new output starts: with what comes, or with the oldest the queue still has." }),
    })
    .prefault({})
    .meta({ doc: "This output's part of the queue." }),
});
export type OutputOptions = z.output<typeof outputOptions>;

export interface ResolvedInput {
  readonly definition: InputDefinition;
  readonly alias: string;
  readonly tag: string;
  readonly options: Record<string, unknown>;
}
export interface ResolvedFilter {
  readonly definition: FilterDefinition;
  readonly alias: string;
  /** Patterns of tags, `*` for any characters; a list matches where one of them does. */
  readonly match: readonly string[];
  readonly options: Record<string, unknown>;
}
export interface ResolvedOutput {
  readonly definition: AnyOutputDefinition;
  readonly alias: string;
  readonly match: readonly string[];
  readonly options: Record<string, unknown>;
  readonly common: OutputOptions;
}
export interface ResolvedConfig {
  /** Absolute path of the file. */
  readonly file: string;
  readonly service: ServiceOptions;
  readonly inputs: readonly ResolvedInput[];
  readonly filters: readonly ResolvedFilter[];
  /** Enabled ones only. */
  readonly outputs: readonly ResolvedOutput[];
}

/** Fluent Bit's `match`: `*` stands for any run of characters. */
export function tagMatcher(patterns: readonly string[]): (tag: string) => boolean {
  const expressions = patterns.map(
    (p) =>
      new RegExp(
        `^${p
          .split("*")
          .map((part) => part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&"))
          .join(".*")}$`,
        "s",
      ),
  );
  const known = new Map<string, boolean>();
  return (tag) => {
    let hit = known.get(tag);
    if (hit === undefined) {
      hit = expressions.some((e) => e.test(tag));
      if (known.size < 10_000) known.set(tag, hit);
    }
    return hit;
  };
}
