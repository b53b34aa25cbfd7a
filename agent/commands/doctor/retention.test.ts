import { expect, onTestFinished, test } from "vitest";
import { Checkup, type Configured, said } from "../../../test/fakes/checkup.ts";
import { FakeElasticsearch } from "../../../test/fakes/elasticsearch.ts";
import { startS3 } from "../../../test/fakes/s3-output.ts";
import type { Subject } from "./check.ts";
import { checkRetention } from "./retention.ts";

function check(configured: Configured, ...frameworks: Subject["frameworks"]) {
  const checkup = new Checkup();
  checkup.frameworks = frameworks;
  return checkRetention(checkup.subject(configured));
}

async function elasticsearch(deletedAfter: string): Promise<Configured> {
  const fake = await FakeElasticsearch.start();
  onTestFinished(() => fake.stop());
  fake.policies.set("audit-logs-2026.02.01", "audit");
  fake.manage("/_ilm/policy/audit", { policy: { phases: { delete: { min_age: deletedAfter } } } });
  return { outputs: [{ name: "elasticsearch", alias: "es", url: fake.url }] };
}

test("kept for less long than the framework wants", async () => {
  const configured = await elasticsearch("365d");
  expect(said(await check(configured, "hipaa"))).toEqual([
    "error: es: kept for 365 days by the lifecycle policy audit, and hipaa wants 2192",
  ]);
  expect(said(await check(configured, "pci_dss"))).toEqual([]);
  expect(said(await check(configured, "soc2"))).toEqual([expect.stringMatching(/^warn: .* 1096 are recommended$/)]);
  // Of several the strictest.
  expect(said(await check(configured, "pci_dss", "fedramp"))).toEqual([expect.stringMatching(/fedramp wants 1096$/)]);
});

test("without a framework nothing is judged, and that is said; an output's preset is one", async () => {
  const configured = await elasticsearch("1d");
  expect(said(await check(configured))).toEqual(["unknown: no framework is chosen, so none of this is judged"]);
  const fake = await startS3();
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1", force_path_style: true };
  const s3 = { name: "s3", bucket: "archive", endpoint: fake.url, ...keys, object_lock: { preset: "hipaa" } };
  expect(said(await check({ outputs: [...configured.outputs!, s3] }))).toEqual([
    "error: es: kept for a day by the lifecycle policy audit, and hipaa wants 2192",
  ]);
});

test("what nobody can tell from here", async () => {
  const outputs = [{ name: "splunk_hec", alias: "splunk", url: "https://127.0.0.1:1", token: "t" }];
  const findings = await check({ outputs }, "iso27001");
  expect(said(findings)).toEqual(["unknown: splunk: splunk_hec does not say how long it keeps entries"]);
  expect(findings[0]!.todo).toBe("look there how long it keeps entries: at least 1096 days (iso27001)");
});

test("objects that anybody may delete", async () => {
  const fake = await startS3();
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1", force_path_style: true };
  const outputs = [{ name: "s3", bucket: "archive", endpoint: fake.url, ...keys }];
  expect(said(await check({ outputs }, "hipaa"))).toEqual([
    "warn: s3: anybody with the right may delete it before, and hipaa wants 2192",
  ]);
});
