/** `audit-agent open`: the live page of the running agent in the browser, with its token. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { PipelineView } from "../api/operate.ts";
import { parseListen } from "../http/address.ts";
import { askAgent } from "./ask.ts";
import { type CommandContext, EXIT, messageOf } from "./context.ts";
import { type PlaceFlags, serviceIn } from "./place.ts";

/** The default of `service.http.listen`. */
const DEFAULT_LISTEN = "127.0.0.1:2020";
/** A browser that has to start first reads the file late. */
const KEPT_MS = 10_000;

export function openPage(
  flags: PlaceFlags,
  { print, keptMs = KEPT_MS }: { readonly print: boolean; readonly keptMs?: number },
  context: CommandContext,
): Promise<number> {
  return askAgent(flags, context, async (agent, { dataDir, config }) => {
    const running = await agent.get<PipelineView>("/api/pipeline");
    const base = nearby(running.http) ?? (await addressIn(config ?? running.config));
    if (base === undefined) {
      context.err(
        `${config ?? running.config} does not say at which address the page is: service: { http: { listen: "${DEFAULT_LISTEN}" } }\n`,
      );
      return EXIT.usage;
    }
    const token = (await readFile(join(dataDir, "http-token"), "utf8")).trim();
    const url = `${base}/#token=${token}`;
    if (print) {
      context.out(`${url}\n`);
      return EXIT.fine;
    }
    return show(url, base, keptMs, context);
  });
}

/** An address that means "every one of this machine" is none to go to. */
function nearby(address: string | null | undefined): string | undefined {
  return address?.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

async function addressIn(config: string): Promise<string | undefined> {
  const http = (await serviceIn(config))?.http as { listen?: unknown; tls?: unknown } | null | undefined;
  const { listen = DEFAULT_LISTEN } = http ?? {};
  if (!http || typeof listen !== "string") return undefined;
  const { host, port } = parseListen(listen, "service.http.listen");
  // With port 0 only the agent's log says which one it got.
  if (port === 0) return undefined;
  const near = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  return `${http.tls ? "https" : "http"}://${near.includes(":") ? `[${near}]` : near}:${port}`;
}

/** Everybody may see the arguments of a process: the token goes through a file that only this user can read. */
async function show(url: string, base: string, keptMs: number, context: CommandContext): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-open-"));
  try {
    const file = join(folder, "open.html");
    const html = `<!doctype html><meta charset="utf-8"><meta name="referrer" content="no-referrer"><meta http-equiv="refresh" content="0;url=${url}">\n`;
    await writeFile(file, html, { mode: 0o600, flag: "wx" });
    const opener = process.platform === "darwin" ? "open" : "xdg-open";
    const child = spawn(opener, [file], { stdio: "ignore" });
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`${opener} ended with ${code}`);
    context.out(`${base} is opened in the browser.\n`);
    await setTimeout(keptMs);
    return EXIT.fine;
  } catch (error) {
    context.err(`no browser could be opened (${messageOf(error)}); audit-agent open --print says the address\n`);
    return EXIT.failed;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
