/**
 * Splunk's HTTP Event Collector as its documents describe it: the answer codes, channels, indexer acknowledgement with ids from 0, and events
 * one after the other without separators.
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector
 * https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/about-http-event-collector-indexer-acknowledgment
 */
import type { ServerOptions } from "node:https";
import { type FakeAnswer, FakeHttpServer, type ReceivedRequest } from "./http-server.ts";

export type SplunkMode =
  /** 503, code 9: the server is busy. */
  | "unavailable"
  /** The same, with Retry-After. */
  | "throttled"
  /** Requests with an event that holds `refuse` are refused whole: code 6 with its number. */
  | "refused"
  /** Nothing is ever acknowledged. */
  | "no_acks";

export interface FakeSplunkOptions {
  readonly token: string;
  readonly refuse?: string;
  /** The token has indexer acknowledgement. */
  readonly acknowledgement?: boolean;
  /** Acknowledged at so many questions after it was taken; 1 unless told. A function is asked for each id. */
  readonly ackAfter?: number | (() => number);
  /** What the first event of a request is called in `invalid-event-number`. */
  readonly firstNumber?: number;
  readonly indexes?: readonly string[];
  /** So many collectors behind a load balancer that goes round, and sends who brings its cookie back to where that came from; 1 unless told. */
  readonly collectors?: number;
  /** Without it the load balancer sets no cookie. */
  readonly sticky?: boolean;
  readonly tls?: ServerOptions;
}

export interface SplunkEvent {
  readonly time?: string;
  readonly host?: string;
  readonly source?: string;
  readonly sourcetype?: string;
  readonly index?: string;
  readonly fields?: Record<string, unknown>;
  /** The bytes of `event`, or of the raw line. */
  readonly text: string;
}

export class FakeSplunk extends FakeHttpServer<SplunkMode> {
  readonly #options: FakeSplunkOptions;
  /** The token it knows; may be changed, as an administrator would. */
  token: string;
  /** In the order of their arrival. */
  readonly events: SplunkEvent[] = [];
  /** Taken and not acknowledged yet. */
  readonly #unindexed = new Map<string, readonly SplunkEvent[]>();
  /** By collector and channel. */
  readonly #acks = new Map<string, { next: number; left: Map<number, number> }>();
  #turn = 0;
  /** Ids that are not acknowledged as long as they are in here. */
  readonly hold = new Set<number>();
  /** Answers of the next questions for acknowledgements, whatever they ask. */
  readonly ackAnswers: FakeAnswer[] = [];
  /** Questions for acknowledgements are never answered. */
  hangAcks = false;

  private constructor(options: FakeSplunkOptions) {
    super(options.tls);
    this.token = options.token;
    this.#options = options;
  }

  static start(options: FakeSplunkOptions): Promise<FakeSplunk> {
    return new FakeSplunk(options).listen();
  }

  protected override carriesRecords(method: string, path: string): boolean {
    return method === "POST" && !path.endsWith("/ack");
  }

  /** As a crash does: ids begin anew, and what was not indexed is gone. Quicker than any connection notices. */
  crash(): void {
    this.#acks.clear();
    const gone = new Set([...this.#unindexed.values()].flat());
    this.events.splice(0, Infinity, ...this.events.filter((event) => !gone.has(event)));
    this.#unindexed.clear();
  }

  override restart(): Promise<void> {
    this.#acks.clear();
    this.#unindexed.clear();
    return super.restart();
  }

  protected override answer(request: ReceivedRequest): FakeAnswer | Promise<FakeAnswer> {
    if (request.path.endsWith("/ack")) {
      if (this.hangAcks) return new Promise<never>(() => {});
      const scripted = this.ackAnswers.shift();
      if (scripted) return scripted;
    }
    const { collectors = 1, sticky } = this.#options;
    const brought = /^COLLECTOR=(\d+)$/.exec(request.headers.cookie ?? "")?.[1];
    const collector = brought === undefined ? this.#turn++ % collectors : Number(brought);
    const answer = this.#collect(collector, request);
    if (!sticky) return answer;
    const headers = { ...answer.headers, "set-cookie": `COLLECTOR=${collector}; Path=/; HttpOnly` };
    return { ...answer, headers };
  }

  #collect(collector: number, { path, query, headers, body }: ReceivedRequest): FakeAnswer {
    if (path === "/services/collector/health") {
      return this.mode === "unavailable"
        ? code(503, 18, "HEC is unhealthy, queues are full")
        : code(200, 17, "HEC is healthy");
    }
    if (headers.authorization === undefined) return code(401, 2, "Token is required");
    if (!/^Splunk \S+$/.test(headers.authorization)) return code(401, 3, "Invalid authorization");
    if (headers.authorization !== `Splunk ${this.token}`) return code(403, 4, "Invalid token");
    const channel = query.get("channel") ?? headers["x-splunk-request-channel"];
    const { acknowledgement, indexes } = this.#options;
    if (acknowledgement && channel === undefined) return code(400, 10, "Data channel is missing");
    if (channel !== undefined && !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(String(channel))) {
      return code(400, 11, "Invalid data channel");
    }
    if (path === "/services/collector/ack") return this.#answerAcks(`${collector} ${channel}`, body);
    if (this.mode === "unavailable") return code(503, 9, "Server is busy");
    if (this.mode === "throttled") return { ...code(503, 9, "Server is busy"), headers: { "retry-after": "3" } };
    if (body.length === 0) return code(400, 5, "No data");
    const raw = path === "/services/collector/raw";
    if (!raw && path !== "/services/collector/event") return { status: 404, text: "not found" };
    const events = raw ? rawEvents(body, query) : envelopes(body);
    const number = (at: number) => ({ "invalid-event-number": at + (this.#options.firstNumber ?? 0) });
    for (const [at, event] of events.entries()) {
      if (event === undefined) return code(400, 6, "Invalid data format", number(at));
      if (event.text === '""') return code(400, 13, "Event field cannot be blank", number(at));
      if (Object.values(event.fields ?? {}).some((value) => typeof value !== "string")) {
        return code(400, 15, "Error in handling indexed fields", number(at));
      }
      if (indexes && event.index !== undefined && !indexes.includes(event.index)) {
        return code(400, 7, "Incorrect index", number(at));
      }
      const { refuse } = this.#options;
      if (this.mode === "refused" && refuse !== undefined && event.text.includes(refuse)) {
        return code(400, 6, "Invalid data format", number(at));
      }
    }
    this.events.push(...(events as SplunkEvent[]));
    if (!acknowledgement) return code(200, 0, "Success");
    const line = `${collector} ${channel}`;
    const ackId = this.#ackId(line);
    this.#unindexed.set(`${line} ${ackId}`, events as SplunkEvent[]);
    return code(200, 0, "Success", { ackId });
  }

  #ackId(channel: string): number {
    const known = this.#acks.get(channel) ?? { next: 0, left: new Map() };
    this.#acks.set(channel, known);
    const { ackAfter = 1 } = this.#options;
    known.left.set(known.next, typeof ackAfter === "number" ? ackAfter : ackAfter());
    return known.next++;
  }

  #answerAcks(line: string, body: Buffer): FakeAnswer {
    if (!this.#options.acknowledgement) return code(400, 14, "ACK is disabled");
    const { acks } = JSON.parse(body.toString()) as { acks: number[] };
    const left = this.#acks.get(line)?.left;
    const answers = acks.map((id) => {
      const questions = (left?.get(id) ?? Number.NaN) - 1;
      left?.set(id, questions);
      const done = this.mode !== "no_acks" && !this.hold.has(id) && questions <= 0;
      // It is said once.
      if (done) left?.delete(id);
      if (done) this.#unindexed.delete(`${line} ${id}`);
      return [id, done] as const;
    });
    return { status: 200, text: JSON.stringify({ acks: Object.fromEntries(answers) }) };
  }
}

function code(status: number, number: number, text: string, more: object = {}): FakeAnswer {
  return { status, text: JSON.stringify({ text, code: number, ...more }) };
}

function rawEvents(body: Buffer, query: URLSearchParams): SplunkEvent[] {
  const about = Object.fromEntries(["host", "source", "sourcetype", "index"].map((key) => [key, query.get(key)]));
  return body
    .toString("utf8")
    .split("\n")
    .filter((text) => text !== "")
    .map((text) => ({ ...about, text }));
}

/** JSON objects one after the other; undefined for what is none. The bytes of time and event are kept as they are. */
function envelopes(body: Buffer): (SplunkEvent | undefined)[] {
  return body
    .toString("utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      try {
        const { event, ...about } = JSON.parse(line) as Record<string, unknown>;
        if (event === undefined) return undefined;
        const text = line.slice(line.indexOf('},"event":') + 10, -1);
        return { ...about, time: /^\{"time":([\d.]+),/.exec(line)?.[1], text } as SplunkEvent;
      } catch {
        return undefined;
      }
    });
}
