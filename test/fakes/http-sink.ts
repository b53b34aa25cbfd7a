/** An HTTP endpoint that takes lines, lists or single documents; and, as `datadog`, one with the limits of Datadog's intake. */
import type { ServerOptions } from "node:https";
import { type FakeAnswer, FakeHttpServer, type ReceivedRequest } from "./http-server.ts";

export type SinkMode =
  /** 503. */
  | "unavailable"
  /** 429 with Retry-After. */
  | "throttled"
  /** 400 for a request that holds `refuse`. */
  | "refused";

export interface FakeSinkOptions {
  readonly refuse?: string;
  /** Header and value that let a request in. */
  readonly key?: readonly [string, string];
  /** https://docs.datadoghq.com/api/latest/logs/#send-logs: 1000 entries, 5 MB uncompressed, 1 MB each; 403 without a key, 202 when accepted. */
  readonly datadog?: boolean;
  /** What a GET is answered; by default 200. */
  readonly get?: number;
  readonly tls?: ServerOptions;
}

export class FakeSink extends FakeHttpServer<SinkMode> {
  readonly #options: FakeSinkOptions;
  /** Entries as they came, in the order of their arrival. */
  readonly entries: string[] = [];

  private constructor(options: FakeSinkOptions) {
    super(options.tls);
    this.#options = options;
  }

  static start(options: FakeSinkOptions = {}): Promise<FakeSink> {
    return new FakeSink(options).listen();
  }

  protected override answer({ method, headers, body }: ReceivedRequest): FakeAnswer {
    const { key, refuse, datadog, get = 200 } = this.#options;
    if (key && headers[key[0].toLowerCase()] !== key[1]) return { status: datadog ? 403 : 401, text: "no" };
    if (this.mode === "unavailable") return { status: 503, text: "later" };
    if (method === "GET") return { status: get };
    if (this.mode === "throttled") return { status: 429, text: "slowly", headers: { "retry-after": "3" } };
    const text = body.toString("utf8");
    if (this.mode === "refused" && refuse !== undefined && text.includes(refuse))
      return { status: 400, text: "bad entry" };
    const entries = text.startsWith("[")
      ? parts(text)
      : headers["content-type"] === "application/x-ndjson"
        ? text.split("\n").slice(0, -1)
        : [text];
    if (datadog && (entries.length > 1_000 || body.length > 5_000_000)) return { status: 413, text: "too large" };
    for (const entry of entries) this.entries.push(entry);
    return { status: datadog ? 202 : 200 };
  }
}

/** The texts of a list's objects. */
function parts(list: string): string[] {
  const found: string[] = [];
  let depth = 0;
  let start = 0;
  let quoted = false;
  for (let i = 0; i < list.length; i++) {
    const c = list[i];
    if (quoted) {
      if (c === "\\") i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === "{" && depth++ === 0) start = i;
    else if (c === "}" && --depth === 0) found.push(list.slice(start, i + 1));
  }
  return found;
}
