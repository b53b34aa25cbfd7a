import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import type { Registries } from "../agent/api/plugin.ts";
import { quickstartYaml } from "../agent/commands/quickstart-yaml.ts";
import { parseConfig } from "../config/load.ts";
import { filters } from "../filters/registry.ts";
import { inputs } from "../inputs/registry.ts";
import { outputs } from "../outputs/registry.ts";

const ROOT = join(import.meta.dirname, "..");
const EXAMPLES = join(ROOT, "config", "examples");
const registries: Registries = { inputs, filters, outputs };

/** Loads it as its reader would: with what the example asks for in place. Throws a ConfigError that says what is wrong. */
function load(text: string, file: string) {
  return parseConfig(text, file, registries, {
    env: {
      ELASTICSEARCH_URL: "http://localhost:9200",
      ELASTICSEARCH_API_KEY: "key",
      SPLUNK_HEC_TOKEN: "token",
      INGEST_TOKEN: "token",
      DD_API_KEY: "key",
      ENVIRONMENT: "production",
      DEPLOYMENT_ID: "blue",
    },
    value: (path) => (path.endsWith("-key") ? Buffer.alloc(32, 1).toString("base64") : "value"),
  });
}

describe("config/examples", () => {
  for (const name of readdirSync(EXAMPLES)) {
    test(name, () => {
      const { warnings } = load(readFileSync(join(EXAMPLES, name), "utf8"), join(EXAMPLES, name));
      expect(warnings.map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
    });
  }
  test("quickstart.yaml is what the quick start writes", () => {
    const text = readFileSync(join(EXAMPLES, "quickstart.yaml"), "utf8");
    expect(text).toBe(
      quickstartYaml({
        dashboardSamples: "/srv/project/.audit-agent/quickstart/samples/dashboard/*.jsonl",
        agentSamples: "/srv/project/.audit-agent/quickstart/samples/agent-audit.jsonl",
        ownAgentLog: "/srv/project/.loki/logs/agent-audit.jsonl",
      }),
    );
  });
});

describe("examples of plugins", () => {
  for (const { kind, name, example } of [...inputs, ...filters, ...outputs]) {
    test(`${kind} ${name}`, () => {
      load(whole({ pipeline: { [`${kind}s`]: [{ name, ...example }] } }), "/etc/audit-agent/pipeline.yaml");
    });
  }
});

describe("YAML in the documents", () => {
  const pages = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...markdown("docs")];
  for (const page of pages) {
    const blocks = [...readFileSync(join(ROOT, page), "utf8").matchAll(/^```yaml\n([\s\S]*?)^```$/gm)];
    test.each(blocks.map(([, text], index) => ({ block: index + 1, text: text! })))(
      `${page}, block $block`,
      ({ text }) => {
        // The reference shows one plugin at a time; everywhere else an example is a whole pipeline.
        const shown = page.startsWith("docs/reference/") ? whole(parse(text)) : text;
        load(shown, "/etc/audit-agent/pipeline.yaml");
      },
    );
  }
});

function markdown(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".md")).map((name) => `${folder}/${name}`);
}

/** With an input and an output where the example is about neither. */
function whole(config: { pipeline: Record<string, unknown> }): string {
  const others = { inputs: [{ name: "stdin" }], outputs: [{ name: "stdout" }] };
  return stringify({ ...config, pipeline: { ...others, ...config.pipeline } });
}
