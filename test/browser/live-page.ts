/** The live page as a person finds their way on it: by what is written there. Used against the stand-in and against a running agent. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Locator, Page } from "playwright-core";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

export class LivePage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  async open(url: string, token?: string): Promise<void> {
    await this.page.goto(token === undefined ? `${url}/` : `${url}/#token=${encodeURIComponent(token)}`);
  }

  get verdict(): Locator {
    return this.page.getByRole("heading", { level: 1 });
  }

  /** Resolves once the verdict says so. */
  async says(text: string | RegExp, timeout = 10_000): Promise<void> {
    await this.page.getByRole("heading", { level: 1, name: text }).waitFor({ timeout });
  }

  section(name: string): Locator {
    return this.page.getByRole("region", { name });
  }

  /** A part in the picture. */
  card(kind: "input" | "filter" | "output", alias: string): Locator {
    return this.page.locator(`[id="${kind}-${alias}"]`);
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog");
  }

  button(name: string | RegExp, within: Locator | Page = this.page): Locator {
    return within.getByRole("button", { name });
  }

  get notice(): Locator {
    return this.page.locator(".notice");
  }

  get letters(): Locator {
    return this.section("Dead letters").locator(".letters > li");
  }

  get tailRows(): Locator {
    return this.page.locator(".tail li");
  }

  /** What axe finds wrong, a line each; by WCAG 2.2 AA and axe's own best practices. */
  async accessibility(): Promise<string[]> {
    // By the debugger's way in, which the content security policy does not concern.
    await this.page.evaluate(await readFile(AXE, "utf8"));
    const found = await this.page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    );
    // Nothing found wrong because nothing was looked at would be no comfort.
    if (found.passes.length < 10) throw new Error(`axe looked at ${found.passes.length} things only`);
    return found.violations.flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(" ")}: ${failureSummary}`),
    );
  }

  /** Whether anything is wider than the window. */
  async scrollsSideways(): Promise<boolean> {
    return await this.page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return scrollWidth > clientWidth;
    });
  }
}
