/** What is warned of where hash chains are verified: with the real plugins. */
import { expect, test } from "vitest";
import { filters } from "../filters/registry.ts";
import { inputs } from "../inputs/registry.ts";
import { outputs } from "../outputs/registry.ts";
import { parseConfig } from "./load.ts";

function warningsOf(filter: string, output: string): string[] {
  const text = `pipeline:
  inputs: [{ name: tail, path: /logs/*.jsonl, tag: audit.log }]
  filters: [${filter}]
  outputs: [${output}]
`;
  const { warnings } = parseConfig(text, "/etc/pipeline.yaml", { inputs, filters, outputs }, { env: {} });
  return warnings.map(({ path, message }) => `${path}: ${message}`);
}

const CHAIN = "{ name: chain, match: audit.log }";
const archive = (path: string, more: string) => `{ name: file, path: /archive/${path}, ${more} }`;

test("an output that takes only what a filter tells is no mistake, where that filter is", () => {
  const alerts = "{ name: file, path: /alerts.jsonl, match: audit.integrity }, { name: stdout, match: audit.log }";
  expect(warningsOf(CHAIN, alerts)).toEqual([]);
  expect(warningsOf("{ name: metadata }", alerts)).toEqual([
    expect.stringMatching(/match fits no tag, so nothing will/),
  ]);
});

test("a filter behind chain may be for what that tells", () => {
  const stdout = "{ name: stdout, match: '*' }";
  const metadata = "{ name: metadata, match: audit.integrity }";
  expect(warningsOf(`${CHAIN}, ${metadata}`, stdout)).toEqual([]);
  expect(warningsOf(`${metadata}, ${CHAIN}`, stdout)).toEqual([expect.stringMatching(/match fits no tag/)]);
});

test.each([
  ["$GROUP.jsonl", "format: original, match: '*'", 1],
  ["$TAG/$GROUP.jsonl", "format: original, match: '*'", 0],
  ["$GROUP.jsonl", "format: original, match: audit.log", 0],
  ["$GROUP.jsonl", "format: json, match: '*'", 0],
])("alerts among originals: %s, %s", (path, more, count) => {
  const warnings = warningsOf(CHAIN, archive(path, more));
  expect(warnings).toHaveLength(count);
  if (count > 0) expect(warnings[0]).toMatch("puts the tag audit.integrity among the originals");
});
