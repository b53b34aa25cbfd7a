import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import type { Registries } from "../../agent/api/plugin.ts";
import { Counters } from "../../agent/telemetry/counters.ts";
import type { Health } from "../../agent/telemetry/health.ts";
import { Histograms } from "../../agent/telemetry/histograms.ts";
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
    const text = await new Metrics().text(new Counters(), new Histograms(), {
      status: undefined,
      health,
      version: "1",
    });
    const names = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name!));
    for (const [, name] of text.matchAll(/^# TYPE (\S+) histogram$/gm)) {
      for (const part of ["bucket", "count", "sum"]) names.add(`${name}_${part}`);
    }
    return names;
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

describe("configurations", () => {
  const env = {
    POD_NAME: "application-0",
    POD_NAMESPACE: "default",
    NODE_NAME: "node-1",
    SPLUNK_HEC_TOKEN: "token",
  };
  const yaml = files.filter((name) => /\.ya?ml$/.test(name) && !name.includes("templates/"));
  const inConfigMaps = yaml.flatMap((name) =>
    documents(name).flatMap((document) => {
      const { kind, data } = document as { kind?: string; data?: Record<string, string> };
      return kind === "ConfigMap" ? Object.entries(data!).map(([key, text]) => ({ name: `${name} ${key}`, text })) : [];
    }),
  );
  const plain = yaml.filter((name) => name.endsWith("pipeline.yaml")).flatMap((name) => [{ name, text: read(name) }]);
  const values = parse(read("helm/audit-agent/values.yaml")) as { config: object };
  const all = [...inConfigMaps, ...plain, { name: "helm/audit-agent/values.yaml", text: stringify(values.config) }];

  test("those of Compose and of both Kubernetes manifests are among them", () => {
    expect(all.map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        "demo/pipeline.yaml",
        "kubernetes/daemonset.yaml pipeline.yaml",
        "kubernetes/sidecar.yaml pipeline.yaml",
      ]),
    );
  });
  test.each(all)("$name is valid, and nothing is wrong with it", ({ text }) => {
    for (const optional of ["false", "true"]) {
      const { config, warnings } = parseConfig(text, "/etc/audit-agent/pipeline.yaml", registries, {
        env: { ...env, DEMO_S3: optional, DEMO_SPLUNK: optional },
        value: () => "value",
      });
      // Between two containers of one machine, in a demonstration.
      const wrong = warnings.filter(
        ({ message }) =>
          !/^`relp` is not encrypted|^is not encrypted|^would cross the network in the clear/.test(message),
      );
      expect(wrong.map(({ path, message }) => `${path}: ${message}`)).toEqual([]);
      expect(config.service.http).toMatchObject({ listen: "127.0.0.1:2020", probe_listen: "0.0.0.0:2021" });
    }
  });
});

describe("Kubernetes", () => {
  interface Container {
    name: string;
    restartPolicy?: string;
    ports?: { name: string; containerPort: number }[];
    livenessProbe?: { httpGet: { port: string } };
    securityContext: object;
    resources: { requests: object; limits: { memory: string } };
    volumeMounts: { name: string; readOnly?: boolean }[];
  }
  interface Workload {
    kind: string;
    spec: {
      template: {
        spec: {
          terminationGracePeriodSeconds: number;
          securityContext: object;
          containers: Container[];
          initContainers?: Container[];
        };
      };
    };
  }
  const pod = (name: string) =>
    (documents(name) as Workload[]).find(({ kind }) => kind === "StatefulSet" || kind === "DaemonSet")!.spec.template
      .spec;

  test.each(["kubernetes/sidecar.yaml", "kubernetes/daemonset.yaml"])("%s: restricted, probed, in time", (name) => {
    const { containers, initContainers = [], securityContext, terminationGracePeriodSeconds } = pod(name);
    expect(terminationGracePeriodSeconds).toBe(30);
    expect(securityContext).toMatchObject({
      runAsNonRoot: true,
      runAsUser: 65532,
      fsGroup: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    });
    for (const each of [...initContainers, ...containers]) {
      expect(each.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] },
      });
      expect(each.resources.limits.memory).toMatch(/Mi$/);
    }
    const agent = [...initContainers, ...containers].find((each) => each.name === "audit-agent")!;
    expect(agent.ports).toEqual([{ name: "probes", containerPort: 2021 }]);
    expect(agent.livenessProbe?.httpGet.port).toBe("probes");
    expect(agent.volumeMounts.filter(({ readOnly }) => !readOnly).map((mount) => mount.name)).toEqual(["state"]);
  });
  test("the sidecar is one", () => {
    expect(pod("kubernetes/sidecar.yaml").initContainers?.map(({ restartPolicy }) => restartPolicy)).toEqual([
      "Always",
    ]);
  });
});
