/** The live page on a stand-in for the agent, in a Chromium that is started once for all tests of a file. */
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, afterEach, beforeAll, test } from "vitest";
import { OperateServer } from "../fakes/operate-server.ts";
import { historyOf, wellView } from "../fakes/operate-views.ts";
import { launch, missingBrowser, openPage } from "./browser.ts";
import { LivePage } from "./live-page.ts";

const missing = missingBrowser();
export const run = test.skipIf(missing !== undefined);
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
export async function opened(view = wellView(), options: BrowserContextOptions = {}) {
  const server = await new OperateServer(view).start();
  servers.push(server);
  server.history = historyOf(view);
  const { page, complaints } = await openPage(browser, options);
  const live = new LivePage(page);
  return { server, page, live, complaints, open: () => live.open(server.url, server.token) };
}

/** Some seconds of a healthy flow. */
export function flow(server: OperateServer, seconds = 6): void {
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
