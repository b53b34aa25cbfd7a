import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import type { Registries } from "../../agent/api/plugin.ts";
import { Counters } from "../../agent/telemetry/counters.ts";
import type { Health } from "../../agent/telemetry/health.ts";
import { Metrics } from "../../agent/telemetry/metrics.ts";
import { parseConfig } from "../../config/load.ts";
import { filters } from "../../filters/registry.ts";
import { inputs } from "../../inputs/registry.ts";
import { outputs } from "../../outputs/registry.ts";

const DEPLOY = join(import.meta.dirname, "..", "..", "deploy");
const registries: Registries = { inputs, filters, outputs };
const files = readdirSync(DEPLOY, { recursive: true, encoding: "utf8" });
const read = (name: string) => readFileSync(join(DEPLOY, name), "utf8");

/** Every YAML document of a file. */
function documents(name: string): unknown[] {
  return parseAllDocuments(read(name)).map((document) => document.toJS());
}

describe("metrics", () => {
  const health = { status: "ok", components: [], outputs: [] } as unknown as Health;
  async function exposed(): Promise<Set<string>> {
    const text = await new Metrics().text(new Counters(), { status: undefined, health, version: "1" });
    return new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!));
  }
  const used = (text: string) =>
    [...text.matchAll(/\b(?:audit_agent|process)_[a-z_]+\b/g)].map(([name]) => name).filter((name) => name.length > 12);

  test.each(["prometheus/alerts.yaml", "prometheus/alerts_test.yaml", "grafana/dashboard.json"])(
    "%s names only what /metrics has",
    async (name) => {
      const names = used(read(name));
      expect(names.length).toBeGreaterThan(10);
      const there = await exposed();
      expect(names.filter((each) => !there.has(each))).toEqual([]);
    },
  );

  test("each alert has its tests", () => {
    const { groups } = parse(read("prometheus/alerts.yaml")) as { groups: { rules: { alert: string }[] }[] };
    const { tests } = parse(read("prometheus/alerts_test.yaml")) as { tests: { name: string }[] };
    const alerts = groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    expect(tests.map(({ name }) => name)).toEqual(alerts.flatMap((alert) => [alert, `${alert}, not yet`]));
  });

  test("the dashboard's panels do not lie over each other", () => {
    const { panels } = JSON.parse(read("grafana/dashboard.json")) as {
      panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[];
    };
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  });
});
