/** The reference page of /metrics, made from the lists that fill it. */
import { COUNTERS } from "../telemetry/counters.ts";
import { GAUGES, PROCESS } from "../telemetry/gauges.ts";
import { HISTOGRAMS } from "../telemetry/histograms.ts";
import { METRICS_PREFIX } from "../telemetry/names.ts";

interface Row {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

const MADE = "<!-- Written by `npm run docs` from the lists in agent/telemetry. Change those, not this page. -->\n";

export function metricsPage(): string {
  return `${MADE}
# Metrics

What \`/metrics\` tells ([how to open it](../operating.md#health-and-metrics)), in the text format of Prometheus. Counters begin at 0 with the process; ledger, queue,
dead letters and what was lost at an input are remembered across restarts. A metric appears with its first value. Labels hold aliases and words of closed
lists, never an entry's content; \`file\` alone holds paths, of at most 20 files per input.

## Counters

${table([...counters(), ...processRows("counter")])}
## Gauges

${table([...gauges(), ...processRows("gauge")])}
## Histograms

Each has \`_bucket\`, \`_sum\` and \`_count\`; the number of writes is the \`_count\` of any of them.

${table(histograms())}
| histogram | upper bounds |
|---|---|
${Object.entries(HISTOGRAMS)
  .map(([name, { buckets }]) => `| \`${METRICS_PREFIX}${name}\` | ${buckets.join(", ")} |\n`)
  .join("")}`;
}

function counters(): Row[] {
  return Object.entries(COUNTERS).map(([name, { help, labels }]) => ({
    name: `${METRICS_PREFIX}${name}_total`,
    type: "counter",
    labels,
    help,
  }));
}

function gauges(): Row[] {
  return Object.entries(GAUGES).map(([name, [help, labels]]) => ({
    name: METRICS_PREFIX + name,
    type: "gauge",
    labels,
    help,
  }));
}

function histograms(): Row[] {
  return Object.entries(HISTOGRAMS).map(([name, { help, labels }]) => ({
    name: METRICS_PREFIX + name,
    type: "histogram",
    labels,
    help,
  }));
}

function processRows(wanted: Row["type"]): Row[] {
  return Object.entries(PROCESS)
    .filter(([, [type]]) => type === wanted)
    .map(([name, [type, help]]) => ({ name, type, labels: [], help }));
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(({ name, type, labels, help }) => {
    const named = labels.map((label) => `\`${label}\``).join(", ");
    return `| \`${name}\` | ${type} | ${named} | ${unitOf(name)} | ${help} |\n`;
  });
  return `| name | type | labels | unit | meaning |\n|---|---|---|---|---|\n${lines.join("")}`;
}

/** Names end in their unit, as Prometheus wants it; what has none is a number of what it is called after. */
function unitOf(name: string): string {
  const [, unit] = /_(seconds|bytes|records|entries|lines|writes|files|segments)(?:_total)?$/.exec(name) ?? [];
  return unit ?? "";
}
