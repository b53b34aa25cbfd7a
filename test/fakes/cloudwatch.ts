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
}

export interface StoredEvent {
  readonly group: string;
  readonly stream: string;
  readonly timestamp: number;
  readonly message: string;
}

interface Call {
  readonly logGroupName: string;
  readonly logStreamName: string;
  readonly retentionInDays: number;
  readonly logEvents: readonly { readonly timestamp: number; readonly message: string }[];
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const RETENTION = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];

export class FakeCloudwatch extends FakeHttpServer<CloudwatchMode> {
  readonly #options: FakeCloudwatchOptions;
  /** In the order of their arrival. */
  readonly events: StoredEvent[] = [];
  readonly groups = new Map<string, { retention: number | undefined; streams: Set<string> }>();
  readonly puts: number[] = [];

  private constructor(options: FakeCloudwatchOptions) {
    super();
    this.#options = options;
  }

  static start(options: FakeCloudwatchOptions = {}): Promise<FakeCloudwatch> {
    return new FakeCloudwatch(options).listen();
  }

  protected override answer({ headers, body }: ReceivedRequest): FakeAnswer {
    if (this.mode === "unavailable") return fault(503, "ServiceUnavailableException", "not now");
    if (this.mode === "throttled") {
      return { ...fault(400, "ThrottlingException", "Rate exceeded"), headers: { "retry-after": "3" } };
    }
    if (this.mode === "denied") return fault(400, "AccessDeniedException", "User is not authorized to perform it");
    const call = JSON.parse(body.toString()) as Call;
    const group = this.groups.get(call.logGroupName);
    switch (String(headers["x-amz-target"]).split(".")[1]) {
      case "DescribeLogGroups":
        return ok({ logGroups: [] });
      case "CreateLogGroup":
        if (group) return fault(400, "ResourceAlreadyExistsException", "The specified log group already exists");
        this.groups.set(call.logGroupName, { retention: undefined, streams: new Set() });
        return ok({});
      case "PutRetentionPolicy":
        if (!RETENTION.includes(call.retentionInDays))
          return fault(400, "InvalidParameterException", "retentionInDays");
        group!.retention = call.retentionInDays;
        return ok({});
      case "CreateLogStream":
        if (!group) return fault(400, "ResourceNotFoundException", "The specified log group does not exist.");
        if (group.streams.has(call.logStreamName)) return fault(400, "ResourceAlreadyExistsException", "exists");
        group.streams.add(call.logStreamName);
        return ok({});
      case "PutLogEvents":
        if (!group?.streams.has(call.logStreamName)) return fault(400, "ResourceNotFoundException", "no such stream");
        return this.#put(call);
      default:
        return fault(400, "UnknownOperationException", "");
    }
  }

  #put({ logGroupName: group, logStreamName: stream, logEvents }: Call): FakeAnswer {
    const invalid = (why: string) => fault(400, "InvalidParameterException", why);
    const size = logEvents.reduce((sum, { message }) => sum + Buffer.byteLength(message) + 26, 0);
    if (logEvents.length === 0 || logEvents.length > 10_000) return invalid("logEvents must have 1 to 10000 members");
    if (size > 1_048_576) return invalid(`Upload too large: ${size} bytes exceeds limit of 1048576`);
    if (logEvents.some(({ message }) => message === "")) return invalid("message must have length at least 1");
    const times = logEvents.map(({ timestamp }) => timestamp);
    if (times.some((time, i) => i > 0 && time < times[i - 1]!))
      return invalid("Log events must be in chronological order");
    if (times.at(-1)! - times[0]! > DAY)
      return invalid("The batch of log events in a single request cannot span more than 24 hours.");
    const { refuse, now = Date.now } = this.#options;
    if (this.mode === "refused" && refuse !== undefined && logEvents.some(({ message }) => message.includes(refuse))) {
      return invalid("a member is invalid");
    }
    this.puts.push(logEvents.length);
    const old = times.filter((time) => time < now() - 14 * DAY).length;
    const next = times.findIndex((time) => time > now() + 2 * HOUR);
    const until = next < 0 ? logEvents.length : next;
    for (const { timestamp, message } of logEvents.slice(old, until))
      this.events.push({ group, stream, timestamp, message });
    return ok({
      nextSequenceToken: "1",
      ...((old > 0 || next >= 0) && {
        rejectedLogEventsInfo: {
          ...(old > 0 && { tooOldLogEventEndIndex: old }),
          ...(next >= 0 && { tooNewLogEventStartIndex: next }),
        },
      }),
    });
  }
}

function ok(body: object): FakeAnswer {
  return { status: 200, text: JSON.stringify(body), headers: { "content-type": "application/x-amz-json-1.1" } };
}

function fault(status: number, type: string, message: string): FakeAnswer {
  return { ...ok({ __type: type, message }), status };
}
