/** The common words of every input, filter and output: `name`, `alias`, `tag`, `match`, `enabled`. */
import { z } from "zod";

/** Names a cursor and metrics, and is part of file names. */
const ALIAS = /^\w[\w.-]{0,63}$/;
const TAG = /^[^\s*\p{Cc}]{1,128}$/u;

const alias = z.string().regex(ALIAS, "must be 1 to 64 letters, digits, _ . or - and not begin with . or -").meta({
  doc: "The name under which logs, metrics and the queue know this part. By default the plugin's name, then name-2, name-3.",
});
const enabled = z.boolean().meta({ doc: "Off where it is false or empty, so that a variable can decide." });
const pattern = z.string().min(1).max(256);
const match = z
  .union([pattern, z.array(pattern).min(1)])
  .meta({ doc: "Tags that it takes; `*` stands for any run of characters. One pattern or a list." });

/** Shapes, not schemas: each kind's options are merged with the plugin's own. */
export const baseOf = {
  input: {
    alias: alias.optional(),
    tag: z
      .string()
      .regex(TAG, "must be 1 to 128 characters without white space and without *")
      .optional()
      .meta({ doc: "What filters and outputs match. By default the alias." }),
    enabled: enabled.default(true),
  },
  filter: { alias: alias.optional(), match: match.default("*"), enabled: enabled.default(true) },
  output: { alias: alias.optional(), match: match.default("*"), enabled: enabled.default(true) },
} as const;

export type Kind = keyof typeof baseOf;
