/**
 * Builders for options. One schema gives validation, types, defaults, secrecy, JSON Schema and the reference page, so what they all
 * need is in `.meta`: `doc` (one sentence), `example`, `default` as users write it, `format` (what kind of value), `secret`.
 */
import { inspect } from "node:util";
import { z } from "zod";

export interface OptionMeta {
  /** One sentence, with units where the value has no unit of its own. */
  readonly doc?: string;
  readonly example?: unknown;
  /** `path`: relative ones are relative to the configuration file; `~` is the home directory. `paths` may hold globs. */
  readonly format?: "duration" | "size" | "path" | "url" | "secret" | "pattern";
  /** As written in a configuration: `30s`. */
  readonly shown?: string;
}

declare module "zod" {
  interface GlobalMeta extends OptionMeta {}
}

/** A value that never prints. Only the place that sends it calls `reveal`. */
export class Secret {
  readonly #reveal: () => string;

  constructor(value: string | (() => string)) {
    this.#reveal = typeof value === "string" ? () => value : value;
  }
  reveal(): string {
    return this.#reveal();
  }
  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [inspect.custom](): string {
    return "[secret]";
  }
}

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
/** The one statement of it; the reference quotes it. (1000 as in Fluent Bit's manual.) */
export const SIZE_RULE =
  "k, M, G and T are powers of 1000, KiB, MiB, GiB and TiB powers of 1024; kB, MB, GB and TB mean k, M, G and T, upper or lower case.";
const SIZE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  t: 1e12,
  tb: 1e12,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
  tib: 1024 ** 4,
};

/** Milliseconds of `30s`, `1m30s`, `7d`; undefined where it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined;
  let ms = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    ms += Number(amount) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  }
  return ms;
}

/** Bytes of `50M`, `1 MiB`, `512`; undefined where it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match && SIZE_UNITS[match[2]!.toLowerCase()];
  return unit === null || unit === undefined ? undefined : Math.floor(Number(match![1]) * unit);
}

function quantity(parse: (text: string) => number | undefined, message: string) {
  return z.union([z.string(), z.number()]).transform((value, context) => {
    const parsed = parse(String(value));
    if (parsed === undefined) context.addIssue({ code: "custom", message, input: value });
    return parsed ?? 0;
  });
}

const DURATION_MESSAGE = "must be a duration with a unit, such as 500ms, 30s, 10m, 24h or 7d";
const SIZE_MESSAGE = "must be a size, such as 512, 64k, 50M or 1GiB";

/** `30s` → milliseconds. */
export function duration(doc: string, shown: string) {
  return quantity(parseDuration, DURATION_MESSAGE).prefault(shown).meta({ doc, format: "duration", shown });
}
export function optionalDuration(doc: string) {
  return quantity(parseDuration, DURATION_MESSAGE).optional().meta({ doc, format: "duration" });
}
/** `50M` → bytes. */
export function size(doc: string, shown: string) {
  return quantity(parseSize, SIZE_MESSAGE).prefault(shown).meta({ doc, format: "size", shown });
}
export function optionalSize(doc: string) {
  return quantity(parseSize, SIZE_MESSAGE).optional().meta({ doc, format: "size" });
}
/** A file or directory; absolute by the time a plugin sees it. */
export function path(doc: string) {
  return z.string().min(1).meta({ doc, format: "path" });
}
export function url(doc: string) {
  return z
    .string()
    .refine((value) => URL.canParse(value) && /^https?:$/.test(new URL(value).protocol), "must be an http or https URL")
    .meta({ doc, format: "url" });
}
export function secret(doc: string) {
  return z
    .union([z.string().min(1), z.instanceof(Secret)])
    .transform((value) => (value instanceof Secret ? value : new Secret(value)))
    .meta({ doc, format: "secret" });
}
/** The 32 bytes of an encryption key written as 64 hex digits or base64; undefined where it is none. */
export function decodeKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  const key = /^[0-9a-f]{64}$/i.test(trimmed) ? Buffer.from(trimmed, "hex") : Buffer.from(trimmed, "base64");
  return key.length === 32 ? key : undefined;
}

/** One value or a list of them; always a list to the plugin. */
export function oneOrMore<T extends z.ZodType>(item: T, doc: string) {
  return z
    .union([item, z.array(item).min(1)])
    .transform((value) => (Array.isArray(value) ? value : [value]) as z.output<T>[])
    .meta({ doc });
}

/** The same words for TLS in every plugin. */
export const tlsOptions = z
  .strictObject({
    ca: path("Certificate authority to trust instead of the system's, PEM.").optional(),
    cert: path("Client certificate for mutual TLS, PEM.").optional(),
    key: path("Private key of the client certificate, PEM.").optional(),
    server_name: z
      .string()
      .optional()
      .meta({ doc: "Name expected in the server's certificate, where it is not the host." }),
    verify: z.boolean().default(true).meta({
      doc: "Verify the server's certificate. Off only for tests: anybody in between can then read and alter the log.",
    }),
  })
  .meta({ doc: "TLS settings." });
export type TlsOptions = z.output<typeof tlsOptions>;
