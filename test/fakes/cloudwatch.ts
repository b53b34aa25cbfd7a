/**
 * CloudWatch Logs as its API reference describes it: the JSON 1.1 protocol, groups and streams, every limit of PutLogEvents, and what it rejects.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
 */
import { type FakeAnswer, FakeHttpServer, type ReceivedRequest } from "./http-server.ts";

export type CloudwatchMode =
  /** 503 ServiceUnavailableException. */
  | "unavailable"
  /** 400 ThrottlingException, with Retry-After. */
  | "throttled"
  /** Requests with an event that holds `refuse` are invalid as a whole. */
  | "refused"
  /** 400 AccessDeniedException. */
  | "denied";

export interface FakeCloudwatchOptions {
  readonly refuse?: string;
  readonly now?: () => number;
  /** Bytes of an event with its 26; regions had 262,144 before. */
  readonly maxEvent?: number;
}

export interface StoredEvent {
  readonly group: string;
  readonly stream: string;
  readonly timestamp: number;
  readonly message: string;
}

export interface Call {
  readonly logGroupName: string;
  readonly logGroupNamePrefix?: string;
  readonly logStreamName: string;
  readonly retentionInDays: number;
  readonly sequenceToken?: string;
  readonly logEvents: readonly { readonly timestamp: number; readonly message: string }[];
}

export type Action =
  | "CreateLogGroup"
  | "CreateLogStream"
  | "DescribeLogGroups"
  | "PutLogEvents"
  | "PutRetentionPolicy"
  | "Unknown";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RETENTION = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

export class FakeCloudwatch extends FakeHttpServer<CloudwatchMode> {
  readonly #options: FakeCloudwatchOptions;
  readonly #faults = new Map<Action, FakeAnswer[]>();
  /** In the order of their arrival. */
  readonly events: StoredEvent[] = [];
  readonly groups = new Map<string, { retention: number | undefined; streams: Set<string> }>();
  readonly puts: number[] = [];
  /** Every call that was understood, in order. */
  readonly actions: Action[] = [];
  /** Awaited before a call is answered. */
  gate: (action: Action, call: Call) => void | Promise<void> = () => {};

  private constructor(options: FakeCloudwatchOptions) {
    super();
    this.#options = options;
  }

  static start(options: FakeCloudwatchOptions = {}): Promise<FakeCloudwatch> {
    return new FakeCloudwatch(options).listen();
  }

  /** Answers the next calls of an action with these. */
  faults(action: Action, ...answers: FakeAnswer[]): void {
    this.#faults.set(action, [...(this.#faults.get(action) ?? []), ...answers]);
  }

  /** A stream, and its group, as if they had been there. */
  has(group: string, ...streams: string[]): void {
    this.groups.set(group, { retention: undefined, streams: new Set(streams) });
  }

  protected override async answer(request: ReceivedRequest): Promise<FakeAnswer> {
    const answer = await this.#answerTo(request);
    const date = new Date((this.#options.now ?? Date.now)()).toUTCString();
    return { ...answer, headers: { date, ...answer.headers } };
  }

  async #answerTo({ headers, body }: ReceivedRequest): Promise<FakeAnswer> {
    if (this.mode === "unavailable") return fault(503, "ServiceUnavailableException", "not now");
    if (this.mode === "throttled") {
      return { ...fault(400, "ThrottlingException", "Rate exceeded"), headers: { "retry-after": "3" } };
    }
    if (this.mode === "denied") return fault(400, "AccessDeniedException", "User is not authorized to perform it");
    const call = JSON.parse(body.toString()) as Call;
    const action = String(headers["x-amz-target"]).split(".")[1] as Action;
    this.actions.push(action);
    await this.gate(action, call);
    return this.#faults.get(action)?.shift() ?? this.#answer(action, call);
  }

  #answer(action: Action, call: Call): FakeAnswer {
    const { logGroupName: name, logStreamName: stream, retentionInDays } = call;
    const wrong = nameFault(action, call);
    if (wrong !== undefined) return fault(400, "InvalidParameterException", wrong);
    const group = this.groups.get(name);
    switch (action) {
      case "DescribeLogGroups": {
        const { logGroupNamePrefix: prefix = "" } = call;
        const found = [...this.groups.keys()].filter((one) => one.startsWith(prefix)).sort();
        const about = (logGroupName: string) => ({
          logGroupName,
          retentionInDays: this.groups.get(logGroupName)?.retention,
        });
        return ok({ logGroups: found.map(about) });
      }
      case "CreateLogGroup":
        if (group) return fault(400, "ResourceAlreadyExistsException", "The specified log group already exists");
        this.has(name);
        return ok({});
      case "PutRetentionPolicy":
        if (!group) return fault(400, "ResourceNotFoundException", "The specified log group does not exist.");
        if (!RETENTION.includes(retentionInDays)) return fault(400, "InvalidParameterException", "retentionInDays");
        group.retention = retentionInDays;
        return ok({});
      case "CreateLogStream":
        if (!group) return fault(400, "ResourceNotFoundException", "The specified log group does not exist.");
        if (group.streams.has(stream)) return fault(400, "ResourceAlreadyExistsException", "exists");
        group.streams.add(stream);
        return ok({});
      case "PutLogEvents":
        if (!group) return fault(400, "ResourceNotFoundException", "The specified log group does not exist.");
        if (!group.streams.has(stream))
          return fault(400, "ResourceNotFoundException", "The specified log stream does not exist.");
        return this.#put(call, group.retention);
      default:
        return fault(400, "UnknownOperationException", "");
    }
  }

  #put(
    { logGroupName: group, logStreamName: stream, logEvents }: Call,
    retention = Number.POSITIVE_INFINITY,
  ): FakeAnswer {
    const invalid = (why: string) => fault(400, "InvalidParameterException", why);
    const { refuse, now = Date.now, maxEvent = 1_048_576 } = this.#options;
    const sizes = logEvents.map(({ message }) => Buffer.byteLength(message) + 26);
    const size = sizes.reduce((sum, one) => sum + one, 0);
    if (logEvents.length === 0 || logEvents.length > 10_000) return invalid("logEvents must have 1 to 10000 members");
    const large = sizes.find((one) => one > maxEvent);
    if (large !== undefined) return invalid(`Log event too large: ${large} bytes exceeds limit of ${maxEvent}`);
    if (size > 1_048_576) return invalid(`Upload too large: ${size} bytes exceeds limit of 1048576`);
    if (logEvents.some(({ message }) => message === "")) return invalid("message must have length at least 1");
    const times = logEvents.map(({ timestamp }) => timestamp);
    if (times.some((time) => !Number.isInteger(time) || time < 0)) return invalid("timestamp must be at least 0");
    if (times.some((time, i) => i > 0 && time < times[i - 1]!))
      return invalid("Log events in a single PutLogEvents request must be in chronological order.");
    if (times.at(-1)! - times[0]! > DAY)
      return invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
    if (this.mode === "refused" && refuse !== undefined && logEvents.some(({ message }) => message.includes(refuse))) {
      return invalid("a member is invalid");
    }
    this.puts.push(logEvents.length);
    const old = times.filter((time) => time < now() - 14 * DAY).length;
    const expired = times.filter((time) => time < now() - retention * DAY).length;
    const next = times.findIndex((time) => time > now() + 2 * HOUR);
    const until = next < 0 ? logEvents.length : next;
    for (const { timestamp, message } of logEvents.slice(Math.max(old, expired), until))
      this.events.push({ group, stream, timestamp, message });
    return ok({
      nextSequenceToken: "1",
      ...((old > 0 || expired > 0 || next >= 0) && {
        rejectedLogEventsInfo: {
          ...(old > 0 && { tooOldLogEventEndIndex: old }),
          ...(expired > 0 && { expiredLogEventEndIndex: expired }),
          ...(next >= 0 && { tooNewLogEventStartIndex: next }),
        },
      }),
    });
  }
}

/** API_CreateLogGroup.html and API_CreateLogStream.html */
function nameFault(action: Action, { logGroupName: group, logStreamName: stream }: Call): string | undefined {
  if (action === "DescribeLogGroups") return undefined;
  const bad = (value: string, name: string) =>
    `1 validation error detected: Value '${value}' at '${name}' failed to satisfy constraint`;
  if (!/^[.\-_/#A-Za-z0-9]{1,512}$/.test(group) || group.startsWith("aws/")) return bad(group, "logGroupName");
  if (action === "CreateLogGroup" || action === "PutRetentionPolicy") return undefined;
  return /^[^:*]{1,512}$/s.test(stream) ? undefined : bad(stream, "logStreamName");
}

function ok(body: object): FakeAnswer {
  return { status: 200, text: JSON.stringify(body), headers: { "content-type": "application/x-amz-json-1.1" } };
}

export function fault(status: number, type: string, message: string, more: object = {}): FakeAnswer {
  return { ...ok({ __type: type, message, ...more }), status };
}
