/** What one can do on the live page, in a real Chromium. */
import { expect } from "vitest";
import { letterView, NOON } from "../fakes/operate-views.ts";
import { screenshot } from "./browser.ts";
import { flow, opened, run } from "./stand-in.ts";

run("a dead letter is replayed, others are discarded after a question", async () => {
  const { server, page, live, complaints, open } = await opened();
  server.letters = [
    letterView(3),
    letterView(2),
    letterView(1, { output: "syslog", reason: "message is longer than 8,192 bytes" }),
  ];
  await open();
  await live.says(/3 entries were refused for good/);
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

run("the tail shows entries as text, whatever is in them, and only those asked for", async () => {
  const { server, page, live, complaints, open } = await opened();
  await open();
  await live.says("Nothing lost. All caught up.");
  flow(server, 3);
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
  await live.says(/^syslog is paused/);
  await live.notice.getByText("syslog is paused; what comes waits in the queue.").waitFor();
  expect(await live.button("syslog").evaluate((element) => element === document.activeElement)).toBe(true);

  await page.keyboard.press("Enter");
  await live.button("Resume", live.dialog).waitFor();
  await screenshot(page, "details-light", false);
  await page.keyboard.press("Escape");

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
