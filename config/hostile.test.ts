import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { oneOrMore, path, secret, tlsOptions, url } from "../agent/api/options.ts";
import { defineFilter, defineInput, defineOutput, type Registries } from "../agent/api/plugin.ts";
import { parseConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";

const create = () => {
  throw new Error("not run here");
};
const registries: Registries = {
  inputs: [
    defineInput({
      name: "tail",
      summary: "Follows.",
      options: z.strictObject({ path: oneOrMore(path("File."), "Files.") }),
      example: { path: "a" },
      create,
    }),
  ],
  filters: [
    defineFilter({
      name: "metadata",
      summary: "Adds.",
      drops: false,
      options: z.strictObject({ add: z.record(z.string(), z.json()).optional() }),
      example: {},
      create,
    }),
  ],
  outputs: [
    defineOutput({
      name: "http",
      summary: "Posts.",
      options: z.strictObject({ url: url("Where."), token: secret("Token."), tls: tlsOptions.optional() }),
      limits: { records: 1, bytes: 1, overhead: 0 },
      guarantee: () => "at-least-once",
      example: { url: "http://h", token: "t" },
      create,
    }),
  ],
};

const SECRET = "hunter2hunter2";
const TEXT = `service: { data_dir: data, queue: { encrypt: true, key: '\${KEY}' }, log_level: '\${S:-info}' }
pipeline:
  inputs:
    - &one { name: tail, path: [a, ~/b], tag: audit.x }
    - { <<: *one, tag: audit.y, enabled: '\${S:+true}' }
  filters:
    - { name: metadata, add: { environment: '\${S}', deep: { n: [1, true, null] } } }
  outputs:
    - name: http
      url: "http://h:\${PORT:-80}/"
      token: '\${S}'
      batch: { records: 5, bytes: 1M }
      tls: { verify: false, ca: /ca }
`;
const env = { S: SECRET, KEY: "ab".repeat(32), PORT: "81" };

/** Loads or fails as a configuration; anything else is a bug, and so is a message that holds the secret. */
function tryOut(text: string): void {
  try {
    parseConfig(text, "/etc/pipeline.yaml", registries, { env });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    expect(error.message).not.toContain(SECRET);
    for (const { line, message } of error.problems) {
      expect(line).toBeGreaterThanOrEqual(0);
      expect(message).not.toMatch(/\[object|undefined|NaN/);
    }
  }
}

const junk = fc.constantFrom(
  ...[
    "'",
    '"',
    "{",
    "}",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "\n",
    "\t",
    "  ",
    "#",
    "&a ",
    "*a",
    "*one",
    "<<: ",
    "!x ",
    "|\n",
    "?",
    "%",
    "@",
  ],
  ...[
    "${S}",
    "'${S}'",
    "${",
    "$$",
    "null",
    "~",
    "true",
    "1e99",
    "0x",
    ".inf",
    "---\n",
    "...\n",
    "\u{feff}",
    "\u0000",
    "😀",
    "\ud800",
  ],
);

test("a configuration cut, joined and littered in any way is a configuration or a list of problems", () => {
  const at = fc.nat(TEXT.length);
  const edit = fc.record({ from: at, length: fc.nat(12), junk: fc.array(junk, { maxLength: 3 }) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      let text = TEXT;
      for (const { from, length, junk: added } of edits) {
        text = text.slice(0, from) + added.join("") + text.slice(from + length);
      }
      tryOut(text);
    }),
    { numRuns: 150 },
  );
});

test("any value at any place", () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 4 }), fc.nat(TEXT.split("\n").length), (json, line) => {
      const lines = TEXT.split("\n");
      const key = /^(\s*(?:- )?[\w]+:)/.exec(lines[line] ?? "");
      if (key) lines[line] = `${key[1]} ${json}`;
      tryOut(lines.join("\n"));
      tryOut(json);
    }),
    { numRuns: 100 },
  );
});

test("a megabyte of one value, of one list, of one line are over soon", () => {
  const big = 900_000;
  tryOut(`pipeline: '${"x".repeat(big)}'`);
  tryOut(`pipeline: '${"${S}".repeat(big / 40)}'`);
  tryOut(`pipeline: [${"a,".repeat(50_000)}]`);
  tryOut(`pipeline: '${"${A:-".repeat(100_000)}'`);
  tryOut("a:\n".repeat(5_000));
  tryOut("[".repeat(5_000));
  tryOut(`${"  - ".repeat(2_000)}x`);
});
