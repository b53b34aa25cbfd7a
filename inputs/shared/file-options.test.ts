import { expect, test } from "vitest";
import { z } from "zod";
import { checkFileOptions, fileEngineOptions, fileOptions } from "./file-options.ts";
import { parserOption } from "./parse/options.ts";

const schema = z.strictObject({ ...fileOptions, ...parserOption });
const settings = (options: z.input<typeof schema>) => ({ path: ["/a/*.jsonl"], ...schema.parse(options) });

test("defaults are complete and pass their own check", () => {
  expect(checkFileOptions(settings({}))).toEqual([]);
  expect(fileEngineOptions(settings({}))).toMatchObject({
    paths: ["/a/*.jsonl"],
    exclude: [],
    parser: "json",
    readFrom: "beginning",
    maxLineBytes: 1 << 20,
    rotateWait: 5000,
    groupBy: "pattern",
    pollInterval: 1000,
  });
});

test("every problem is named at its option", () => {
  const wrong = settings({
    follow_symlinks: true,
    poll_interval: "1ms",
    parser: "cri",
    multiline: "json",
    max_line_bytes: 1,
  });
  expect(checkFileOptions(wrong).map((p) => p.path)).toEqual([
    ["multiline"],
    ["max_line_bytes"],
    ["allowed_roots"],
    ["poll_interval"],
  ]);
});

test("every option has a sentence for the docs", () => {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as {
    properties: Record<string, { doc?: string }>;
  };
  for (const [name, { doc }] of Object.entries(json.properties)) expect(doc, name).toMatch(/\.$/);
});
