/**
 * Stands in for a running agent: serves the live page and the interface of `agent/api/operate.ts` from a state that the test changes.
 * It is as strict as the agent: no data without the token, and a content security policy that allows nothing the page does not need.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import type {
  EntryView,
  HistoryView,
  LettersChosen,
  LetterView,
  LogView,
  PipelineView,
  ReloadReport,
} from "../../agent/api/operate.ts";
import type { Mutable } from "./operate-views.ts";

const PAGE = join(import.meta.dirname, "../../dist/web");
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" };

export class OperateServer {
  readonly token = "a-token-of-the-test";
  view: Mutable<PipelineView>;
  history: HistoryView | undefined;
  letters: LetterView[] = [];
  reload: { status: number; report: ReloadReport } | undefined;
  /** What was asked for by POST: path and body. */
  readonly asked: { path: string; body: unknown }[] = [];
  readonly #streams = new Map<ServerResponse, URLSearchParams>();
  #server: Server | undefined;
  port = 0;

  constructor(view: PipelineView) {
    this.view = structuredClone(view) as Mutable<PipelineView>;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.#answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.port, "127.0.0.1", resolve);
    });
    this.port = (server.address() as AddressInfo).port;
    return this;
  }

  /** As if the agent had been killed; `start` begins again on the same port. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server?.close(resolve));
    this.#server?.closeAllConnections();
    this.#streams.clear();
    await closed;
  }

  /** So many seconds later the agent tells how it is. */
  tell(change: (view: Mutable<PipelineView>) => void = () => {}, seconds = 1): void {
    change(this.view);
    this.view.time = new Date(Date.parse(this.view.time) + seconds * 1000).toISOString();
    for (const stream of this.#streams.keys()) send(stream, "pipeline", this.#told());
  }

  #told(): PipelineView {
    const bytes = this.letters.reduce((sum, { original }) => sum + original.length, 0);
    return { ...this.view, dead_letters: { records: this.letters.length, bytes } };
  }

  log(line: LogView): void {
    for (const stream of this.#streams.keys()) send(stream, "log", line);
  }

  entry(entry: EntryView): void {
    for (const [stream, query] of this.#streams) if (wants(query, entry)) send(stream, "entry", entry);
  }

  skipped(entries: number): void {
    for (const [stream, query] of this.#streams) if (query.has("entries")) send(stream, "skipped", { entries });
  }

  /** How many follow the entries. */
  get tails(): number {
    return [...this.#streams.values()].filter((query) => query.has("entries")).length;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", this.url);
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("x-content-type-options", "nosniff");
    if (!pathname.startsWith("/api/")) return await page(pathname, response);
    if (request.headers.authorization !== `Bearer ${this.token}`) {
      return json(response, 401, { error: "The token is missing or wrong." });
    }
    if (request.method === "POST") return await this.#post(pathname, request, response);
    if (pathname === "/api/pipeline") return json(response, 200, this.#told());
    if (pathname === "/api/history" && this.history) return json(response, 200, this.history);
    if (pathname === "/api/dead-letters") return this.#letters(searchParams, response);
    if (pathname === "/api/events") return this.#stream(searchParams, response);
    json(response, 404, { error: "There is no such thing here." });
  }

  #stream(query: URLSearchParams, response: ServerResponse): void {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    this.#streams.set(response, query);
    response.on("close", () => this.#streams.delete(response));
    send(response, "pipeline", this.#told());
  }

  #letters(query: URLSearchParams, response: ServerResponse): void {
    const wanted = this.letters.filter(({ output }) => (query.get("output") ?? output) === output);
    const from = wanted.findIndex(({ id }) => id === query.get("after")) + 1;
    const letters = wanted.slice(from, from + Number(query.get("limit") ?? 100));
    const next = from + letters.length < wanted.length ? letters.at(-1)!.id : null;
    json(response, 200, { letters, next, total: wanted.length });
  }

  async #post(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers["content-type"] !== "application/json")
      return json(response, 415, { error: "JSON is wanted." });
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const body = JSON.parse(text) as unknown;
    this.asked.push({ path, body });
    const [, , kind, name, verb] = path.split("/").map(decodeURIComponent);
    if (kind === "dead-letters") return json(response, 200, this.#settle(body as LettersChosen));
    if (kind === "reload" && this.reload) return json(response, this.reload.status, this.reload.report);
    const output = this.view.outputs.find(({ alias }) => alias === name);
    if (kind === "outputs" && output) {
      output.paused = verb === "pause";
      output.reason = output.paused ? "paused from the live page" : null;
      this.tell();
      return json(response, 200, { alias: name, paused: output.paused });
    }
    const orphan = this.view.orphans.find(({ alias }) => alias === name);
    if (kind === "orphans" && orphan) {
      this.tell((view) => {
        view.orphans = view.orphans.filter(({ alias }) => alias !== name);
      });
      return json(response, 200, orphan);
    }
    json(response, 404, { error: `There is no ${name ?? path}.` });
  }

  #settle({ all, output, ids }: LettersChosen): { records: number; left: number } {
    const chosen = (letter: LetterView) => all || (letter.output === output && (!ids || ids.includes(letter.id)));
    const before = this.letters.length;
    this.letters = this.letters.filter((letter) => !chosen(letter));
    this.tell();
    return { records: before - this.letters.length, left: 0 };
  }
}

async function page(path: string, response: ServerResponse): Promise<void> {
  const file = path === "/" ? "index.html" : path.slice(1);
  // Only names the build makes.
  if (!/^(index\.html|assets\/[\w.-]+)$/.test(file)) return json(response, 404, { error: "There is no such file." });
  const content = await readFile(join(PAGE, file));
  response.writeHead(200, { "content-type": `${TYPES[extname(file)] ?? "application/octet-stream"}; charset=utf-8` });
  response.end(content);
}

function wants(query: URLSearchParams, { level, event, actor, original }: EntryView): boolean {
  if (!query.has("entries")) return false;
  const is = (name: string, value: string | null) => !query.has(name) || value === query.get(name);
  return is("level", level) && is("event", event) && is("actor", actor) && original.includes(query.get("text") ?? "");
}

function send(stream: ServerResponse, event: string, data: unknown): void {
  stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
