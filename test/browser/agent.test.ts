/** The live page on a running agent: an outage, a broken chain and a dead letter, as somebody who looks only at the page sees them. */
import { appendFile, mkdir } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { AgentProcess } from "../e2e/harness/agent.ts";
import { addressOf, stopOf, tokenOf, viewOf } from "../e2e/harness/observe.ts";
import { Scene } from "../e2e/harness/scene.ts";
import { chainOf } from "../fakes/chain-writer.ts";
import { launch, missingBrowser, openPage, screenshot } from "./browser.ts";
import { LivePage } from "./live-page.ts";

const missing = missingBrowser();
const run = test.skipIf(missing !== undefined);
if (missing) process.stdout.write(`  skipped: ${missing}\n`);

let browser: Browser;
beforeAll(async () => {
  if (missing === undefined) browser = await launch();
});
afterAll(() => browser?.close());

run("down and back, a broken chain, a dead letter sent again: each is told within seconds", async () => {
  const scene = await Scene.start({ refuse: "poison" });
  const archive = { name: "file", alias: "archive", match: "*", path: "archive/%Y.jsonl", format: "original" };
  const config = await scene.configure({
    filters: [{ name: "chain", match: "audit" }],
    outputs: [scene.output({ alias: "main" }), archive],
  });
  const agent = AgentProcess.run(config);
  const address = await addressOf(agent);
  const { page, complaints } = await openPage(browser);
  const live = new LivePage(page);
  await live.open(address, tokenOf(agent));
  await live.says("Nothing lost. All caught up.");

  // A destination goes down, and comes back.
  scene.elasticsearch.fail("drop");
  const lines = chainOf("loki-dashboard", 30);
  await mkdir(scene.workspace.path("logs"), { recursive: true });
  const log = scene.workspace.path("logs/audit.jsonl");
  await appendFile(
    log,
    lines
      .slice(0, 20)
      .map((line) => `${line}\n`)
      .join(""),
  );
  await live.says(/^main .*wait.*nothing lost/);
  await screenshot(page, "agent-outage");
  scene.elasticsearch.heal();
  await live.says("Nothing lost. All caught up.", 20_000);

  // Somebody changes an entry.
  const forged = lines[20]!.replace('"note": ""', '"note": "never happened"');
  await appendFile(log, [forged, ...lines.slice(21)].map((line) => `${line}\n`).join(""));
  await live.says(/chain/i, 20_000);
  await live.section("Hash chains").getByText("broken").first().waitFor();
  await screenshot(page, "agent-chain-break");

  // A destination refuses an entry; somebody sets that right and has it sent again.
  scene.elasticsearch.fail("refused");
  await scene.append("logs/other.jsonl", 1, "poison");
  await live.letters.first().waitFor({ timeout: 20_000 });
  await screenshot(page, "agent-dead-letter");
  scene.elasticsearch.heal();
  await live.button("Replay all", live.section("Dead letters")).click();
  await agent.until("it to arrive", () =>
    scene.elasticsearch.documents.some(({ source }) => source.includes("poison")),
  );
  await live.letters.first().waitFor({ state: "detached", timeout: 20_000 });
  expect(await live.accessibility()).toEqual([]);
  expect(complaints).toEqual([]);
  await screenshot(page, "agent-after");

  // The agent itself goes away: what is shown must not look live.
  await stopOf(agent);
  await page
    .getByText(/connection|cannot be reached|not live/i)
    .first()
    .waitFor({ timeout: 20_000 });
  await screenshot(page, "agent-gone");
});

run("without the token there is a door, and nothing behind it", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure());
  const address = await addressOf(agent);
  const { page } = await openPage(browser);
  const live = new LivePage(page);
  await live.open(address);
  const field = page.getByLabel(/token/i).first();
  await field.waitFor();
  await field.fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").first().waitFor();
  await field.fill(tokenOf(agent));
  await page.keyboard.press("Enter");
  await live.says("Nothing lost. All caught up.");
  await stopOf(agent);
});

run("a page of another origin can neither read nor change anything, even if it knew the token", async () => {
  const scene = await Scene.start();
  const agent = AgentProcess.run(await scene.configure({ outputs: [scene.output({ alias: "main" })] }));
  const address = await addressOf(agent);
  const foreign = createServer((_request, response) => response.end("<!doctype html><title>foreign</title>"));
  await new Promise<void>((resolve) => foreign.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void foreign.close());
  const { page } = await openPage(browser);
  await page.goto(`http://localhost:${(foreign.address() as AddressInfo).port}/`);
  const tried = await page.evaluate(
    async ({ address, token }) => {
      const asked = async (path: string, options: RequestInit) => {
        const answer = await fetch(address + path, options).catch(() => undefined);
        return answer === undefined ? "refused" : `${answer.type} ${answer.status}`;
      };
      const authorized = { headers: { authorization: `Bearer ${token}` } };
      return Promise.all([
        asked("/api/pipeline", authorized),
        asked("/api/outputs/main/pause", { ...authorized, method: "POST" }),
        // What a browser sends without asking first.
        asked("/api/outputs/main/pause", { method: "POST", mode: "no-cors" }),
        asked("/metrics", {}),
      ]);
    },
    { address, token: tokenOf(agent) },
  );
  expect(tried).toEqual(["refused", "refused", "refused", "refused"]);
  expect((await viewOf(agent)).outputs[0]!.paused).toBe(false);
  await stopOf(agent);
});
