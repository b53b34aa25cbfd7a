/**
 * What the service takes. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html unless another page is named.
 */

/** Bytes of one request: the messages in UTF-8, and EVENT_OVERHEAD for each. */
export const MAX_REQUEST_BYTES = 1_048_576;
export const EVENT_OVERHEAD = 26;
export const MAX_REQUEST_EVENTS = 10_000;
/** Between the first and the last event of a request. */
export const MAX_SPAN_MS = 24 * 3_600_000;
/**
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: 1 MB (256 KB until April 2025), which with its
 * overhead must fit a request.
 */
export const MAX_EVENT_BYTES = MAX_REQUEST_BYTES - EVENT_OVERHEAD;
/** Older events are rejected, and those older than the group's retention. */
export const MAX_AGE_MS = 14 * 86_400_000;
export const MAX_AHEAD_MS = 2 * 3_600_000;
/** API_CreateLogGroup.html and API_CreateLogStream.html beside the page above. */
export const MAX_NAME = 512;
/** Of a group. API_CreateLogGroup.html */
export const RESERVED_PREFIX = "aws/";
/** API_PutRetentionPolicy.html */
export const RETENTION_DAYS: readonly number[] = [
  ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
];

/** The least the service takes that is as much; undefined where none is. */
export function retentionFor(days: number): number | undefined {
  return RETENTION_DAYS.find((allowed) => allowed >= days);
}

/** Whether the service takes events of that time. */
export function inRange(ms: number, now: number): boolean {
  return ms >= now - MAX_AGE_MS && ms <= now + MAX_AHEAD_MS;
}

const TOO_OLD = "more than 14 days old";
const TOO_NEW = "more than 2 hours ahead of the service's clock";
/** So near to the edge the service itself is asked. */
const SLACK_MS = 3_600_000;

/** Why none of the events would be taken, by their places; undefined where one may be. `now` is the service's clock. */
export function hopeless(events: readonly Sized[], now: number): Map<number, string> | undefined {
  if (events.some(({ ms }) => inRange(ms, now + SLACK_MS) || inRange(ms, now - SLACK_MS))) return undefined;
  return new Map(events.map(({ ms }, i) => [i, ms < now ? TOO_OLD : TOO_NEW]));
}

/** What is cut into requests: a message's bytes (without overhead) and its time. */
export interface Sized {
  readonly ms: number;
  readonly bytes: number;
}

/** Parts of events in order of time, each within every limit of a request. */
export function requestsOf<E extends Sized>(events: readonly E[]): E[][] {
  const requests: E[][] = [];
  let from = 0;
  let bytes = 0;
  for (const [at, event] of events.entries()) {
    const size = event.bytes + EVENT_OVERHEAD;
    const full = bytes + size > MAX_REQUEST_BYTES || at - from >= MAX_REQUEST_EVENTS;
    if (at > from && (full || event.ms - events[from]!.ms > MAX_SPAN_MS)) {
      requests.push(events.slice(from, at));
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < events.length) requests.push(events.slice(from));
  return requests;
}

export interface RejectedInfo {
  readonly tooOldLogEventEndIndex?: number | undefined;
  readonly expiredLogEventEndIndex?: number | undefined;
  readonly tooNewLogEventStartIndex?: number | undefined;
}

/**
 * Which events of a request were rejected, and why. API_RejectedLogEventsInfo.html: the end of the too old ones is exclusive, the start of
 * the too new ones inclusive. Of the end of the expired ones it says nothing; it is read like the other end.
 */
export function rejectedOf(info: RejectedInfo | undefined, count: number): Map<number, string> {
  const rejected = new Map<number, string>();
  const { tooOldLogEventEndIndex: old, expiredLogEventEndIndex: expired, tooNewLogEventStartIndex: next } = info ?? {};
  for (let i = 0; i < Math.min(expired ?? 0, count); i++) rejected.set(i, "older than the group's retention");
  for (let i = 0; i < Math.min(old ?? 0, count); i++) rejected.set(i, TOO_OLD);
  for (let i = Math.max(next ?? count, 0); i < count; i++) rejected.set(i, TOO_NEW);
  return rejected;
}
