/** What the live page shows, in a real Chromium. */
import { expect } from "vitest";
import { chainView, inputView, letterView, NOON, outputView, wellView } from "../fakes/operate-views.ts";
import { screenshot } from "./browser.ts";
import { flow, opened, run } from "./stand-in.ts";

run("an agent that is well: nothing lost, all caught up", async () => {
  const { server, page, live, complaints, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  flow(server);
  await live.card("output", "elasticsearch").getByText("1,104/s").waitFor();
  // The token must not stay where it could be seen or sent on.
  expect(page.url()).toBe(`${server.url}/`);
  expect(await page.title()).toBe("✓ audit-agent");
  await page.mouse.move(700, 820);
  await screenshot(page, "well-light");
  expect(await live.accessibility()).toEqual([]);
  await live.button("Theme: auto").click();
  await live.button("Theme: light").click();
  await live.button("Theme: dark").waitFor();
  await screenshot(page, "well-dark");
  await screenshot(page, "well-dark-top", false);
  expect(await live.accessibility()).toEqual([]);
  expect(complaints).toEqual([]);
});

run("a destination goes down, and comes back", async () => {
  const { server, page, live, complaints, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  flow(server, 4);
  for (let i = 1; i <= 6; i++) {
    server.view.outputs[0] = {
      ...server.view.outputs[0]!,
      state: "degraded",
      since: new Date(NOON).toISOString(),
      last_progress: new Date(NOON - 1000).toISOString(),
      reason: "connect ECONNREFUSED 10.0.4.17:9200",
      retries: 41,
      backlog: { records: 2071 * i + 5, bytes: 5_817_708, oldest_seconds: 2 * i },
    };
    flow(server, 1);
  }
  await live.says("elasticsearch has been down since 10:32: 12,431 entries wait, nothing lost.");
  expect(await page.title()).toBe("● 1 problem – audit-agent");
  await live.card("output", "elasticsearch").getByText("connect ECONNREFUSED").waitFor();
  await screenshot(page, "outage-light");
  await screenshot(page, "outage-top", false);
  expect(await live.accessibility()).toEqual([]);

  for (const left of [9000, 5000, 1000]) {
    server.tell((view) => {
      const output = view.outputs[0]!;
      Object.assign(output, { state: "ok", reason: null, since: view.time, last_progress: view.time });
      output.backlog = { records: left, bytes: left * 468, oldest_seconds: 80 };
    });
  }
  await live.says(/^Nothing lost. elasticsearch is catching up: 1,000 entries to go/);
  server.tell((view) => {
    view.outputs[0]!.backlog = { records: 0, bytes: 0, oldest_seconds: 0 };
  });
  await live.says("Nothing lost. All caught up.");
  expect(await page.title()).toBe("✓ audit-agent");
  expect(complaints).toEqual([]);
});

run("a hash chain breaks", async () => {
  const { server, page, live, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  flow(server, 3);
  server.tell((view) => {
    const filter = view.filters[0]!;
    const group = "/var/log/dashboard/audit-*.jsonl";
    const at = new Date(NOON).toISOString();
    const path = "/var/log/dashboard/audit-2026-02-12.jsonl";
    const explanation = "the entry was changed after it was written";
    const last_break = { kind: "edited", explanation, path, offset: 4_812_044, at };
    const groups = [
      chainView(group, { state: "broken", breaks: 1, last_break }),
      chainView("/var/log/agent/agent-audit.jsonl"),
    ];
    const chains = { ...filter.chains!, breaks: 1, groups };
    view.filters[0] = { ...filter, state: "degraded", reason: "1 break", chains };
  });
  await live.says("The hash chain of /var/log/dashboard/audit-*.jsonl is broken.");
  const chains = live.section("Hash chains");
  await chains
    .getByText("the entry was changed after it was written (audit-2026-02-12.jsonl, byte 4,812,044, 10:32)")
    .waitFor();
  await screenshot(page, "chain-break-light");
  expect(await live.accessibility()).toEqual([]);
});

run("hundreds of parts: the worst first, the others on request", async () => {
  const view = wellView();
  const inputs = Array.from({ length: 60 }, (_, i) => inputView(`service-${i + 1}`));
  inputs[47] = inputView("service-48", {
    state: "failed",
    reason: "EACCES: permission denied, open '/var/log/service-48'",
  });
  const outputs = Array.from({ length: 40 }, (_, i) => outputView(`tenant-${i + 1}`, { plugin: "elasticsearch" }));
  const { server, page, live, open } = await opened({ ...view, inputs, outputs });
  await open();
  await live.says(/^service-48 has read nothing since/);
  flow(server);
  await live.says(/^service-48 has read nothing since/);
  await live.card("input", "service-48").waitFor();
  await screenshot(page, "many-light");
  await live.button(/and 54 more/).click();
  expect(await live.section("Pipeline").locator('[data-column="inputs"] .card').count()).toBe(60);
  expect(await live.accessibility()).toEqual([]);
});

run("on a phone nothing is wider than the screen", async () => {
  const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
  const { server, page, live, open } = await opened(wellView(), phone);
  server.letters = [letterView(1)];
  server.view.orphans = [{ alias: "old_es", records: 12_004, bytes: 5_600_000 }];
  await open();
  await live.says(/1 entry was refused/);
  flow(server);
  await live.letters.first().waitFor();
  expect(await live.scrollsSideways()).toBe(false);
  await screenshot(page, "phone-light");
  expect(await live.accessibility()).toEqual([]);
  await live.button("s3").tap();
  await live.dialog.getByText("exactly-once").waitFor();
  expect(await live.scrollsSideways()).toBe(false);
  await screenshot(page, "phone-details", false);
});

run("when the agent is gone, what is shown is not taken for what is", async () => {
  const { server, page, live, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  await server.stop();
  await live.says(/^No connection to the agent. What you see is from 10:3\d:\d\d.$/);
  expect(await page.title()).toBe("○ not connected – audit-agent");
  await screenshot(page, "gone-light");
  await server.start();
  await live.says("Nothing lost. All caught up.", 15_000);
});

run("an agent with next to nothing: no filters, no chains, no outputs, no history", async () => {
  const view = {
    ...wellView(),
    filters: [],
    outputs: [],
    inputs: [inputView("stdin", { plugin: "stdin", files: [], lag: { bytes: 0, seconds: 0, files: 0 } })],
  };
  const { server, page, live, complaints, open } = await opened(view);
  server.history = undefined;
  await open();
  await live.says("Nothing lost. All caught up.");
  await live.section("Ledger").getByText("There are no outputs.").waitFor();
  await screenshot(page, "empty-light");
  expect(await live.accessibility()).toEqual([]);
  expect(complaints).toEqual([]);
});

run("an update costs less than a frame, with an hour of data and five outputs", async () => {
  const { server, page, live, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  const script = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    const of = (name: string) => metrics.find((metric) => metric.name === name)!.value * 1000;
    return { script: of("ScriptDuration"), all: of("TaskDuration") };
  };
  flow(server, 5);
  await page.waitForTimeout(500);
  const before = await script();
  const updates = 30;
  for (let i = 0; i < updates; i++) {
    flow(server, 1);
    await page.waitForTimeout(100);
  }
  const after = await script();
  const each = (after.script - before.script) / updates;
  process.stdout.write(
    `  an update: ${each.toFixed(1)} ms of script, ${((after.all - before.all) / updates).toFixed(1)} ms in all\n`,
  );
  expect(each).toBeLessThan(16);
});
