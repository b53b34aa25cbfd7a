import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Registries } from "../agent/api/plugin.ts";
import { generated } from "../agent/commands/docs.ts";
import { optionRows } from "../agent/commands/option-rows.ts";
import { filters } from "../filters/registry.ts";
import { inputs } from "../inputs/registry.ts";
import { outputs } from "../outputs/registry.ts";
import { scenarios } from "./contract/scenarios.ts";

const ROOT = join(import.meta.dirname, "..");
const registries: Registries = { inputs, filters, outputs };
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

describe("what is generated is fresh (npm run docs)", () => {
  const files = Object.entries(generated(registries));
  test.each(files)("%s", (path, text) => {
    expect(existsSync(join(ROOT, path)) ? read(path) : "", `${path}: run npm run docs`).toBe(text);
  });
  test("no page is left over", () => {
    const pages = files.map(([path]) => path.replace("docs/reference/", "")).filter((path) => path.endsWith(".md"));
    expect(readdirSync(join(ROOT, "docs/reference")).sort()).toEqual(pages.sort());
  });
});

test("every option of every plugin says what it is", () => {
  const silent = [...inputs, ...filters, ...outputs].flatMap(({ kind, name, options }) =>
    optionRows(options.shape)
      .filter(({ doc }) => doc === "")
      .map((row) => `${kind} ${name}: ${row.name}`),
  );
  expect(silent).toEqual([]);
});

test("CONTRIBUTING.md names every scenario of the contract suite, and none that is not there", () => {
  const clauses = read("CONTRIBUTING.md").split("## What an output must do")[1]!.split("## What an input must do")[0]!;
  const named = [...clauses.matchAll(/(?<!\*)\*([^*]+)\*(?!\*)/g)].map(([, name]) => name!.replace(/\s+/g, " "));
  expect(named.sort()).toEqual(scenarios.map(({ name }) => name).sort());
});

test("links in the documents lead somewhere", () => {
  const pages = [
    ...readdirSync(ROOT).filter((name) => name.endsWith(".md")),
    ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => `docs/${name}`),
  ];
  const dead = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  );
  expect(dead).toEqual([]);
});
