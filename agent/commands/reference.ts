/** The reference pages, made from the same schemas that validate. */
import { stringify } from "yaml";
import type { z } from "zod";
import { baseOf, type Kind } from "../../config/entries.ts";
import { outputOptions, serviceOptions } from "../api/config.ts";
import { SIZE_RULE } from "../api/options.ts";
import { defaultsOf, type Guarantee, isObjects, type Registries } from "../api/plugin.ts";
import { DEFAULT_LINGER, DEFAULT_TIMEOUT } from "../pipeline/make-lane.ts";
import { span } from "../telemetry/describe.ts";
import { bytes } from "./context.ts";
import { metricsPage } from "./metrics-page.ts";
import { type OptionRow, optionRows } from "./option-rows.ts";

type Definition = Registries[keyof Registries][number];

const MADE = "<!-- Written by `npm run docs` from the schemas in the source. Change those, not this page. -->\n";

/** File name → content, of everything in docs/reference. */
export function referencePages(registries: Registries): Record<string, string> {
  return {
    "configuration.md": configuration(registries),
    "inputs.md": plugins("input", "Inputs", registries.inputs),
    "filters.md": plugins("filter", "Filters", registries.filters),
    "outputs.md": plugins("output", "Outputs", registries.outputs),
    "metrics.md": metricsPage(),
  };
}

function configuration({ inputs, filters, outputs }: Registries): string {
  const list = (page: string, all: readonly Definition[]) =>
    all.map(({ name, summary }) => `- [\`${name}\`](${page}#${name}): ${summary}\n`).join("");
  return `${MADE}
# Configuration

One YAML file with two parts: \`service\` for the agent itself, \`pipeline\` for what it does.

\`\`\`yaml
# yaml-language-server: $schema=./node_modules/audit-agent/config/schema.json
service:
  data_dir: /var/lib/audit-agent
pipeline:
  inputs:
    - { name: tail, tag: audit.app, path: /var/log/audit/*.jsonl }
  filters:
    - { name: level, match: 'audit.*', min: info }
  outputs:
    - { name: stdout, match: 'audit.*' }
\`\`\`

The first line lets editors complete and check the file by the schema that comes with the agent (in a checkout: \`config/schema.json\`). The agent
itself does not need it.

Unknown options are errors. All problems of a file are reported at once, each with line and column, and nothing is started while there is one.

## Values

- **Variables.** \`\${NAME}\` is an environment variable, and an error where it is not set. \`\${NAME:-default}\` gives it a default, used also where it
  is empty. \`\${NAME:+alternative}\` is the alternative where it is set and not empty, else nothing. \`\${NAME:?message}\` stops with the message where it
  is not set or empty. \`\${file:/run/secrets/token}\` is what the file holds, without the newline at its end. \`$$\` is a dollar sign. Defaults,
  alternatives and file names may hold further references. Only values are replaced, never keys, and what a variable holds cannot change the
  structure of the file. Between \`{ }\` and \`[ ]\` YAML wants quotes around them: \`{ port: '\${PORT:-514}' }\`.
- **Secrets.** An option that takes a secret, given as one whole \`\${file:…}\`, is read again at each use, so a changed file needs no restart. Secrets
  and values from outside are never printed.
- **Paths.** \`~\` is the home directory; a relative path is relative to the directory of the configuration file.
- **Sizes.** \`512\`, \`64k\`, \`50M\`, \`1GiB\`: ${SIZE_RULE}
- **Durations** have a unit: \`500ms\`, \`30s\`, \`10m\`, \`24h\`, \`7d\`, \`1m30s\`.
- **Tags.** Every input puts a \`tag\` on what it reads; filters and outputs take what their \`match\` fits, where \`*\` stands for any run of characters.
- **Aliases.** Each part has one: the name by which logs, metrics and the queue know it. Without \`alias\` it is the plugin's name, for further parts
  of that plugin name-2, name-3 and so on, in the order of the file; a part that is off counts too, so switching one off renames no other. Two parts of
  one kind cannot have the same alias, whatever its case. An output's place in the queue belongs to its alias: under a new one it starts anew, and what
  waits under the old one is an orphan. So give outputs an alias of their own before there are two of a plugin.

## service

${options(serviceOptions.unwrap().shape)}
## Every input

${options(baseOf.input)}
## Every filter

${options(baseOf.filter)}
## Every output

${options({ ...baseOf.output, ...outputOptions.shape })}
## Plugins

Inputs

${list("inputs.md", inputs)}
Filters, applied in the order of the file

${list("filters.md", filters)}
Outputs

${list("outputs.md", outputs)}`;
}

function plugins(kind: Kind, title: string, definitions: readonly Definition[]): string {
  const common = `What every ${kind} takes is in [configuration](configuration.md#every-${kind}).\n`;
  return [MADE, `# ${title}\n`, common, ...definitions.map((definition) => plugin(kind, definition))].join("\n");
}

function plugin(kind: Kind, definition: Definition): string {
  const { name, summary, notes, example } = definition;
  const yaml = stringify({ pipeline: { [`${kind}s`]: [{ name, ...example }] } }, { lineWidth: 120 });
  return [
    `## ${name}\n`,
    `${summary}\n`,
    ...(definition.kind === "output" ? [`Delivery: ${guarantee(definition)}.\n`] : []),
    ...(definition.kind === "filter" && definition.drops ? ["It may drop entries, and counts what it drops.\n"] : []),
    `\`\`\`yaml\n${yaml}\`\`\`\n`,
    options(definition.options.shape),
    ...(definition.kind === "output" ? [`${pace(definition)}\n`] : []),
    ...(notes === undefined ? [] : [`${notes.trim()}\n`]),
  ].join("\n");
}

const GUARANTEES: Readonly<Record<Guarantee, string>> = {
  "exactly-once": "exactly once in effect, within one data directory",
  "at-least-once": "at least once",
  "best-effort": "best effort",
};

function guarantee(definition: Registries["outputs"][number]): string {
  const parsed = definition.options.safeParse(definition.example);
  return parsed.success ? GUARANTEES[definition.guarantee(parsed.data)] : "depends on its options";
}

/** What the common options are for this output where the configuration says nothing. */
function pace(definition: Registries["outputs"][number]): string {
  const { limits } = definition;
  const parsed = definition.options.safeParse(definition.example);
  const defaults = defaultsOf(definition, parsed.data ?? {});
  const timeout = defaults.timeout ?? DEFAULT_TIMEOUT;
  if (isObjects(definition)) {
    const { bytes: size, ageMs } = definition.assemble(parsed.data ?? {});
    return (
      `Defaults: a write holds what came within ${span(ageMs)}, at most ${bytes(size)}, one write at a time; \`batch\` and \`concurrency\` have no ` +
      `effect here. \`timeout\` is ${timeout}.`
    );
  }
  const size = Math.min(limits.bytes, outputOptions.parse({}).batch.bytes ?? limits.bytes);
  return (
    `Defaults: \`batch.records\` ${limits.records} and \`batch.bytes\` ${bytes(size)} (at most ${bytes(limits.bytes)}; a larger value is taken as that), ` +
    `\`batch.linger\` ${defaults.linger ?? DEFAULT_LINGER}, \`concurrency\` ${defaults.concurrency ?? 1}, \`timeout\` ${timeout}.`
  );
}

function options(shape: Readonly<Record<string, z.ZodType>>): string {
  const rows = optionRows(shape);
  if (rows.length === 0) return "It has no options.\n";
  return `| option | takes | default | |\n|---|---|---|---|\n${rows.map(line).join("\n")}\n`;
}

function line({ name, takes, default: given, required, doc, example }: OptionRow): string {
  const fallback = required ? "**required**" : given === "" ? "" : `\`${given}\``;
  const shown = example === "" || example === given ? "" : ` Example: \`${example}\`.`;
  return `| \`${name}\` | ${cell(takes)} | ${cell(fallback)} | ${cell(doc + shown)} |`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|").replaceAll("\n", " ");
}
