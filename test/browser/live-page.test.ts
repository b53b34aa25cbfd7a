/** The live page in a real Chromium, against a stand-in for the agent. */
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { OperateServer } from "../fakes/operate-server.ts";
import { chainView, historyOf, inputView, letterView, NOON, outputView, wellView } from "../fakes/operate-views.ts";
import { launch, missingBrowser, openPage, screenshot } from "./browser.ts";
import { LivePage } from "./live-page.ts";

const missing = missingBrowser();
const run = test.skipIf(missing !== undefined);
if (missing) process.stdout.write(`  skipped: ${missing}\n`);

let browser: Browser;
const servers: OperateServer[] = [];

beforeAll(async () => {
  if (missing === undefined) browser = await launch();
});
afterAll(() => browser?.close());
afterEach(async () => {
  for (const context of browser?.contexts() ?? []) await context.close();
  for (const server of servers.splice(0)) await server.stop();
});

/** A page on an agent that is well, and whatever is said of it must not be a complaint of the browser's. */
async function opened(view = wellView(), options: BrowserContextOptions = {}) {
  const server = await new OperateServer(view).start();
  servers.push(server);
  server.history = historyOf(view);
  const { page, complaints } = await openPage(browser, options);
  const live = new LivePage(page);
  return { server, page, live, complaints, open: () => live.open(server.url, server.token) };
}

/** Some seconds of a healthy flow. */
function flow(server: OperateServer, seconds = 6): void {
  for (let i = 0; i < seconds; i++) {
    server.tell((view) => {
      for (const input of view.inputs) {
        if (input.state !== "ok") continue;
        input.read = { records: input.read.records + 612, bytes: input.read.bytes + 612 * 468 };
      }
      for (const filter of view.filters) if (filter.filtered > 0) filter.filtered += 60;
      for (const output of view.outputs) {
        const { ledger } = output;
        if (output.state !== "ok" || output.paused) {
          const queued = output.backlog.records;
          output.ledger = { ...ledger, read: ledger.delivered + ledger.filtered + queued, queued };
          continue;
        }
        output.ledger = {
          ...ledger,
          read: ledger.read + 1224,
          filtered: ledger.filtered + 120,
          delivered: ledger.delivered + 1104,
        };
        output.delivered_bytes += 1104 * 468;
      }
    });
  }
}

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
  await live.button(/Theme/).click();
  await live.button(/Theme/).click();
  await screenshot(page, "well-dark");
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

run("a dead letter is replayed, others are discarded after a question", async () => {
  const { server, page, live, complaints, open } = await opened();
  server.letters = [
    letterView(3),
    letterView(2),
    letterView(1, { output: "syslog", reason: "message is longer than 8,192 bytes" }),
  ];
  await open();
  flow(server, 3);
  await live.says(/3 entries were refused for good and wait as dead letters/);
  await live.letters.nth(2).waitFor();
  await live.letters.nth(0).locator("summary").click();
  await live.section("Dead letters").getByText('"actor":"user-3"').waitFor();
  await screenshot(page, "dead-letters-light");
  expect(await live.accessibility()).toEqual([]);

  await live.letters.nth(0).getByRole("checkbox").check();
  await live.button("Replay 1 chosen").click();
  await live.notice.getByText("1 dead letter is sent again.").waitFor();
  expect(server.asked.at(-1)).toEqual({
    path: "/api/dead-letters/replay",
    body: { output: "elasticsearch", ids: ["Zk3vQ8-3"] },
  });
  await expect.poll(() => live.letters.count()).toBe(2);

  await live.button("Discard all…").click();
  await live.dialog.getByText("This cannot be undone.").waitFor();
  await screenshot(page, "discard-light", false);
  expect(await live.accessibility()).toEqual([]);
  await page.keyboard.press("Escape");
  expect(server.asked).toHaveLength(1);
  await live.button("Discard all…").click();
  await live.button("Discard 2 dead letters", live.dialog).click();
  await live.section("Dead letters").getByText("No destination has refused an entry for good.").waitFor();
  expect(server.asked.at(-1)).toEqual({ path: "/api/dead-letters/discard", body: { all: true } });
  await live.says("Nothing lost. All caught up.");
  expect(complaints).toEqual([]);
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

run("without a token, or with a wrong one, it asks for one and shows nothing", async () => {
  const { server, page, live, complaints } = await opened();
  await live.open(server.url);
  await page.getByLabel("Token").fill("wrong");
  await screenshot(page, "sign-in-light");
  await live.button("Sign in").click();
  await page.getByRole("alert").getByText("does not know this token").waitFor();
  expect(await live.accessibility()).toEqual([]);
  await page.getByLabel("Token").fill(server.token);
  await page.keyboard.press("Enter");
  await live.says("Nothing lost. All caught up.");
  await page.reload();
  await live.says("Nothing lost. All caught up.");
  await live.button("Sign out").click();
  await page.getByLabel("Token").waitFor();
  expect(complaints).toEqual([]);
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

run("the tail shows entries as text, whatever is in them, and only those asked for", async () => {
  const { server, page, live, complaints, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  await live.button("Follow").click();
  await expect.poll(() => server.tails).toBe(1);
  const entry = {
    time: new Date(NOON).toISOString(),
    level: "info",
    event: "user.login",
    actor: "mallory",
    tag: "audit.dashboard",
    input: "dashboard",
    path: "/var/log/dashboard/audit-2026-02-12.jsonl",
    offset: 468,
  };
  const hostile = '{"note":"<img src=x onerror=alert(1)> \u202Egnp.exe \u0000"}';
  server.entry({ ...entry, original: hostile });
  await live.tailRows.getByText("<img src=x onerror=alert(1)> ⟨202E⟩gnp.exe ⟨0000⟩").first().waitFor();
  expect(await page.locator(".tail img").count()).toBe(0);
  for (let i = 0; i < 620; i++) {
    const level = ["info", "warning", "error"][i % 3]!;
    server.entry({
      ...entry,
      level,
      event: ["user.login", "config.changed", "api.request"][i % 3]!,
      offset: i,
      original: `{"n":${i}}`,
    });
  }
  server.skipped(12_000);
  await live.section("Live tail").getByText("12,000 entries came too fast to be shown. Only the last 500").waitFor();
  expect(await live.tailRows.count()).toBe(500);
  await screenshot(page, "tail-light");
  expect(await live.accessibility()).toEqual([]);

  await page.getByLabel("actor").fill("alice");
  await expect.poll(() => live.tailRows.count()).toBe(0);
  await page.waitForResponse((response) => response.url().includes("actor=alice"));
  server.entry({ ...entry, original: '{"by":"mallory"}' });
  server.entry({ ...entry, actor: "alice", original: '{"by":"alice"}' });
  await live.tailRows.getByText('{"by":"alice"}').first().waitFor();
  expect(await live.tailRows.count()).toBe(1);
  expect(complaints).toEqual([]);
});

run("an output is paused and goes on, by keyboard alone; an orphan is given up; a reload is refused", async () => {
  const { server, page, live, complaints, open } = await opened();
  server.view.orphans = [{ alias: "old_es", records: 12_004, bytes: 5_600_000 }];
  await open();
  await live.button("syslog").focus();
  await page.keyboard.press("Enter");
  await live.button("Pause", live.dialog).focus();
  await page.keyboard.press("Enter");
  await live.button("Resume", live.dialog).waitFor();
  await screenshot(page, "details-light", false);
  await page.keyboard.press("Escape");
  await live.says(/^syslog is paused/);
  expect(await live.button("syslog").evaluate((element) => element === document.activeElement)).toBe(true);

  await live.button("Give up…").click();
  await live.button("Give up 12,004 entries", live.dialog).click();
  await live.notice.getByText("Gave up 12,004 entries").waitFor();

  const problems = ["pipeline.yaml:14:5  outputs[0].tokn: unknown option (did you mean “token”?)"];
  const at = server.view.time;
  server.reload = { status: 409, report: { at, by: "the live page", applied: false, changes: [], kept: 0, problems } };
  await live.button("Reload…").click();
  await live.button("Reload", live.dialog).click();
  await live.dialog.getByText("unknown option").waitFor();
  await screenshot(page, "reload-light", false);
  expect(complaints).toEqual([]);
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
