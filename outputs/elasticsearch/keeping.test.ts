import { expect, onTestFinished, test } from "vitest";
import type { Keeping } from "../../agent/api/plugin.ts";
import { FakeElasticsearch } from "../../test/fakes/elasticsearch.ts";
import definition from "./index.ts";

async function asked(options: Record<string, unknown> = {}, prepare: (fake: FakeElasticsearch) => void = () => {}) {
  const fake = await FakeElasticsearch.start();
  onTestFinished(() => fake.stop());
  prepare(fake);
  const parsed = definition.options.parse({ url: fake.url, index: "audit-%Y.%m.%d", ...options });
  const clock = { now: () => Date.UTC(2026, 1, 1), monotonic: () => 0 };
  const context = { alias: "es", node: "n", version: "0", clock, emit: () => {}, fields: undefined as never };
  return definition.keeps!(parsed, context, new AbortController().signal);
}

const policy = (phases: object) => ({ policy: { phases } });

test("the policies that the indices have", async () => {
  const keepings = await asked({}, (fake) => {
    fake.policies.set("audit-2026.01.31", "short").set("audit-2026.02.01", "never").set("audit-2026.02.02", undefined);
    fake.manage("/_ilm/policy/short", policy({ hot: {}, delete: { min_age: "720h" } }));
    fake.manage("/_ilm/policy/never", policy({ hot: {} }));
  });
  expect(keepings).toEqual<Keeping[]>([
    { by: "the lifecycle policy short", days: 30 },
    { by: "the lifecycle policy never", days: null },
    { by: "no lifecycle policy for audit-*", days: null },
  ]);
});

test("before there is an index: the policy that `setup` will make, or nothing that deletes", async () => {
  expect(await asked({ setup: true, lifecycle: { delete_after: "90d" } })).toEqual([
    { by: "the lifecycle policy audit, not made yet", days: 90 },
  ]);
  expect(await asked()).toEqual([{ by: "no lifecycle policy for audit-*", days: null }]);
});

test("a server that does not say", async () => {
  const silent = (fake: FakeElasticsearch) => fake.fail("unauthorized");
  await expect(asked({}, silent)).rejects.toThrow(
    /^the server does not say \(view_index_metadata is needed\): HTTP 401/,
  );
  expect(await asked({ setup: true, lifecycle: { delete_after: "never" } }, silent)).toEqual([
    { by: "`lifecycle.delete_after`, as configured (the server does not say)", days: null },
  ]);
});
