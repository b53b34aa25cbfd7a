import { expect, test } from "vitest";
import { NOW, startFake } from "../../test/fakes/cloudwatch-output.ts";
import definition from "./index.ts";

async function asked(options: Record<string, unknown>, ...groups: (readonly [string, number | undefined])[]) {
  const fake = await startFake();
  for (const [name, retention] of groups) {
    fake.has(name);
    fake.groups.get(name)!.retention = retention;
  }
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1" };
  const clock = { now: () => NOW, monotonic: () => 0 };
  const context = { alias: "c", node: "n", version: "0", clock, emit: () => {}, fields: undefined as never };
  const parsed = definition.options.parse({ endpoint: fake.url, ...keys, ...options });
  return definition.keeps!(parsed, context, new AbortController().signal);
}

test("what the group has counts, not what is configured", async () => {
  const groups = [["/audit", 7] as const, ["/audit-more", 1] as const];
  expect(await asked({ log_group: "/audit", preset: "soc2" }, ...groups)).toEqual([
    { by: "the log group /audit", days: 7 },
  ]);
  expect(await asked({ log_group: "/audit-$TAG" }, ["/audit-x", undefined])).toEqual([
    { by: "the log group /audit-x", days: null },
  ]);
});

test("a group that is to be made", async () => {
  expect(await asked({ log_group: "/audit", retention_days: 366 })).toEqual([
    { by: "the log group /audit, not made yet", days: 400 },
  ]);
});
