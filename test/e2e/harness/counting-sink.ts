import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const ID = Buffer.from('"_id":"');
const NEWLINE = 0x0a;
const QUOTE = 0x22;

/** An Elasticsearch that remembers ids and forgets everything else, for more than a test's memory could hold. */
export class CountingSink {
  readonly ids = new Set<string>();
  /** Documents that came with an id that was there. */
  repeats = 0;
  /** Answers 503. */
  down = true;
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const [status, text] = this.#answer(request.url ?? "/", chunks);
        response.writeHead(status, { "content-type": "application/json", "x-elastic-product": "Elasticsearch" });
        response.end(text);
      });
    });
  }

  static async start(): Promise<CountingSink> {
    const sink = new CountingSink();
    await new Promise<void>((resolve) => sink.#server.listen(0, "127.0.0.1", resolve));
    return sink;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(url: string, chunks: readonly Buffer[]): [number, string] {
    if (this.down) return [503, '{"error":{"type":"cluster_block_exception","reason":"down"},"status":503}'];
    if (!url.includes("/_bulk")) return [200, '{"version":{"number":"9.5.3"},"tagline":"You Know, for Search"}'];
    const statuses = this.#take(Buffer.concat(chunks));
    const errors = statuses.includes(409);
    const conflict = ',"error":{"type":"version_conflict_engine_exception","reason":"document already exists"}';
    const items = statuses.map((status) => `{"create":{"status":${status}${status === 409 ? conflict : ""}}}`);
    return [200, `{"errors":${errors},"items":[${items.join(",")}]}`];
  }

  #take(body: Buffer): number[] {
    const statuses: number[] = [];
    for (let at = 0; at < body.length; ) {
      const from = body.indexOf(ID, at) + ID.length;
      const id = body.toString("latin1", from, body.indexOf(QUOTE, from));
      const known = this.ids.has(id);
      if (known) this.repeats++;
      this.ids.add(id);
      statuses.push(known ? 409 : 201);
      at = body.indexOf(NEWLINE, body.indexOf(NEWLINE, from) + 1) + 1;
    }
    return statuses;
  }
}
