/** A real Chromium, as Debian ships it, or the reason why there is none. */
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PATH = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Why the tests cannot run here; undefined where they can. With REQUIRE_SERVICES=1 that is an error. */
export function missingBrowser(): string | undefined {
  try {
    accessSync(PATH, constants.X_OK);
    return undefined;
  } catch {
    const reason = `there is no Chromium at ${PATH} (Debian: apt-get install chromium; CHROMIUM says where else)`;
    if (process.env.REQUIRE_SERVICES === "1") throw new Error(reason);
    return reason;
  }
}

export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    // Root, as in most containers, has no sandbox.
    chromiumSandbox: process.getuid?.() !== 0,
    args: ["--force-color-profile=srgb", "--disable-dev-shm-usage"],
  });
}

/** A page on which nothing went wrong unseen: `complaints` has what the browser refused and what was thrown. */
export async function openPage(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({
    viewport: { width: 1440, height: 1000 },
    timezoneId: "UTC",
    locale: "en-US",
    ...options,
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (message) => {
    // A connection that fails, or an answer such as 401, is a part of what is tested; a refused script or style is not.
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) complaints.push(message.text());
  });
  return { page, complaints };
}

/** Screenshots are for people: SCREENSHOTS says where they go. */
export async function screenshot(page: Page, name: string, fullPage = true): Promise<void> {
  const folder = process.env.SCREENSHOTS;
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  // The header sticks to where the window is.
  if (fullPage) await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage, animations: "disabled" });
}
