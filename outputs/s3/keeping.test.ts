import { expect, test } from "vitest";
import type { Keeping } from "../../agent/api/plugin.ts";
import type { FakeS3 } from "../../test/fakes/s3.ts";
import { startS3 } from "../../test/fakes/s3-output.ts";
import definition from "./index.ts";

async function asked(options: Record<string, unknown> = {}, prepare: (fake: FakeS3) => void = () => {}) {
  const fake = await startS3();
  prepare(fake);
  const keys = { access_key_id: "a", secret_access_key: "b", region: "us-east-1" };
  const all = { bucket: "archive", endpoint: fake.url, force_path_style: true, ...keys, ...options };
  const clock = { now: Date.now, monotonic: () => 0 };
  const context = { alias: "s3", node: "n", version: "0", clock, emit: () => {}, fields: undefined as never };
  return definition.keeps!(definition.options.parse(all), context, new AbortController().signal);
}

const rule = (id: string, prefix: string, days: number, status = "Enabled") =>
  `<Rule><ID>${id}</ID><Filter><Prefix>${prefix}</Prefix></Filter><Status>${status}</Status>` +
  `<Expiration><Days>${days}</Days></Expiration></Rule>`;

test("the rules that concern these keys, and the lock", async () => {
  const keepings = await asked({ object_lock: { preset: "pci_dss" } }, (fake) => {
    fake.lifecycle = [
      rule("old", "audit/", 30),
      rule("other", "web/", 1),
      rule("off", "audit/", 2, "Disabled"),
      rule("all", "", 400),
    ].join("");
  });
  expect(keepings).toEqual<Keeping[]>([
    { by: "the lifecycle rule old of archive", days: 30, locked: 365 },
    { by: "the lifecycle rule all of archive", days: 400, locked: 365 },
  ]);
});

test("without rules nothing is deleted; without a lock anybody may", async () => {
  expect(await asked()).toEqual([{ by: "no lifecycle rule of the bucket archive", days: null, locked: 0 }]);
});

test("where one may not ask", async () => {
  const asking = asked({}, (fake) => void fake.withheld.add("s3:GetLifecycleConfiguration"));
  await expect(asking).rejects.toThrow(/s3:GetLifecycleConfiguration is needed/);
});
