/**
 * What the service takes. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html unless another page is named.
 */

/** Bytes of one request: the messages in UTF-8, and EVENT_OVERHEAD for each. */
export const MAX_REQUEST_BYTES = 1_048_576;
export const EVENT_OVERHEAD = 26;
export const MAX_REQUEST_EVENTS = 10_000;
/** Between the first and the last event of a request. */
export const MAX_SPAN_MS = 24 * 3_600_000;
/** https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: 1 MB, which with its overhead must fit a request. */
export const MAX_EVENT_BYTES = MAX_REQUEST_BYTES - EVENT_OVERHEAD;
/** Older events are rejected, and those older than the group's retention. */
export const MAX_AGE_MS = 14 * 86_400_000;
export const MAX_AHEAD_MS = 2 * 3_600_000;
/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html and API_CreateLogStream.html */
export const MAX_NAME = 512;
/** https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html */
export const RETENTION_DAYS: readonly number[] = [
  ...[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
];

/** The least the service takes that is as much; undefined where none is. */
export function retentionFor(days: number): number | undefined {
  return RETENTION_DAYS.find((allowed) => allowed >= days);
}

/** What is cut into requests: a message's bytes (without overhead) and its time. */
export interface Sized {
  readonly ms: number;
  readonly bytes: number;
}

/** Parts of events in order of time, each within every limit of a request; as index ranges. */
export function requestsOf(events: readonly Sized[]): { readonly from: number; readonly to: number }[] {
  const requests: { from: number; to: number }[] = [];
  let from = 0;
  let bytes = 0;
  for (const [at, event] of events.entries()) {
    const size = event.bytes + EVENT_OVERHEAD;
    const full = bytes + size > MAX_REQUEST_BYTES || at - from >= MAX_REQUEST_EVENTS;
    if (at > from && (full || event.ms - events[from]!.ms > MAX_SPAN_MS)) {
      requests.push({ from, to: at });
      from = at;
      bytes = 0;
    }
    bytes += size;
  }
  if (from < events.length) requests.push({ from, to: events.length });
  return requests;
}

export interface RejectedInfo {
  readonly tooOldLogEventEndIndex?: number | undefined;
  readonly expiredLogEventEndIndex?: number | undefined;
  readonly tooNewLogEventStartIndex?: number | undefined;
}

/**
 * Which events of a request were rejected, and why. https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_RejectedLogEventsInfo.html:
 * the two ends are behind the last such event, the start is the first too new one.
 */
export function rejectedOf(info: RejectedInfo | undefined, count: number): Map<number, string> {
  const rejected = new Map<number, string>();
  const {
    tooOldLogEventEndIndex: old = 0,
    expiredLogEventEndIndex: expired = 0,
    tooNewLogEventStartIndex: next,
  } = info ?? {};
  for (let i = 0; i < Math.min(expired, count); i++) rejected.set(i, "older than the group's retention");
  for (let i = 0; i < Math.min(old, count); i++) rejected.set(i, "more than 14 days old");
  for (let i = Math.max(next ?? count, 0); i < count; i++)
    rejected.set(i, "more than 2 hours ahead of the service's clock");
  return rejected;
}
