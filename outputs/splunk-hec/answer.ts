/** What the collector's answers mean. Pure. Codes: https://help.splunk.com/en/splunk-enterprise/get-data-in/collect-http-event-data/troubleshoot-http-event-collector */
import type { HttpReply } from "../shared/http.ts";
import { statusReason } from "../shared/http.ts";
import { retryAfterMs } from "../shared/retry-after.ts";

export type Verdict = Meaning & {
  /** The collector may be another than the one that answered before, or may have restarted: it may not know its acknowledgements any more. */
  readonly doubt?: boolean;
};
type Meaning =
  | { readonly is: "taken"; readonly ackId: number | undefined }
  /** An event is at fault: `event` counts from 0 where the collector named it. */
  | { readonly is: "invalid"; readonly reason: string; readonly event: number | undefined }
  | { readonly is: "refused" | "blocked"; readonly reason: string }
  | { readonly is: "busy"; readonly reason: string; readonly pauseMs: number | undefined }
  | { readonly is: "unknown"; readonly reason: string };

const INVALID = new Set([
  6, // Invalid data format
  12, // Event field is required
  13, // Event field cannot be blank
  15, // Error in handling indexed fields
]);

const SHUTTING_DOWN = 23;
const ACKS_FULL = 27;
/** Taken. 24 and 25 say besides that the collector's queue, or its list of acknowledgements, is nearly full. */
const TAKEN = new Set([0, 24, 25]);

/** What an operator has to mend, with where. 21 and 22 are what 4 and 1 are called by the health endpoint. */
const HINTS: Readonly<Record<number, string>> = {
  1: "switch the token on",
  2: "check `token`",
  3: "check `token`",
  4: "check `token`",
  7: "the token may not write to `index`, or there is none of that name",
  10: "the token has indexer acknowledgement: set `acknowledge: true`",
  11: "the token has indexer acknowledgement: set `acknowledge: true`",
  14: "the token has no indexer acknowledgement: switch it on, or set `acknowledge: false`",
  16: "check `token`",
  21: "check `token`",
  22: "switch the token on",
  28: "the load balancer in front of the collectors needs sticky sessions",
};

interface Answer {
  readonly text?: unknown;
  readonly code?: unknown;
  readonly ackId?: unknown;
  readonly "invalid-event-number"?: unknown;
}

/** Judges an answer to events. `now`: for a Retry-After that names a date. */
export function verdictOf({ status, text, headers }: HttpReply, now: number): Verdict {
  const answer = parse(text);
  const code = typeof answer?.code === "number" ? answer.code : undefined;
  if (status === 200) {
    if (code !== undefined && TAKEN.has(code)) {
      return { is: "taken", ackId: Number.isSafeInteger(answer!.ackId) ? (answer!.ackId as number) : undefined };
    }
    const reason = `the answer does not come from a collector: ${statusReason(status, text)}`;
    return { is: "unknown", reason, doubt: true };
  }
  const hint = code === undefined ? undefined : HINTS[code];
  const reason = said(status, text, answer, hint ?? (status === 401 || status === 403 ? HINTS[4] : undefined));
  if (status === 429 || status === 503) {
    const header = headers["retry-after"];
    const pauseMs = retryAfterMs(typeof header === "string" ? header : undefined, now);
    return { is: "busy", reason, pauseMs, doubt: code === undefined || code === SHUTTING_DOWN || code === ACKS_FULL };
  }
  if (status === 413) return { is: "refused", reason: `${reason}: larger than the collector allows` };
  if (status === 408 || status >= 500 || status < 300) return { is: "unknown", reason, doubt: true };
  if (status === 400 && code !== undefined && INVALID.has(code)) {
    const event = answer!["invalid-event-number"];
    return { is: "invalid", reason, event: Number.isSafeInteger(event) ? (event as number) : undefined };
  }
  // A 400 of anything in between says nothing about the events.
  if (status === 400 && code !== undefined && hint === undefined) return { is: "refused", reason };
  return { is: "blocked", reason };
}

/** Which of the ids are acknowledged; throws where the answer does not say. */
export function acknowledged(reply: HttpReply): number[] {
  const acks = (parse(reply.text) as { acks?: unknown } | undefined)?.acks;
  if (reply.status !== 200 || typeof acks !== "object" || acks === null) {
    throw new Error(`asked for acknowledgements it answers ${reasonOf(reply)}`);
  }
  return Object.entries(acks)
    .filter(([, done]) => done === true)
    .map(([id]) => Number(id));
}

/** A reason out of any answer. */
export function reasonOf({ status, text }: HttpReply): string {
  const answer = parse(text);
  const code = typeof answer?.code === "number" ? answer.code : -1;
  return said(
    status,
    text,
    answer,
    HINTS[code] ?? (status === 404 ? "is this the address of a collector?" : undefined),
  );
}

function said(status: number, text: string, answer: Answer | undefined, hint: string | undefined): string {
  const words = typeof answer?.text === "string" ? answer.text : text;
  return statusReason(status, typeof answer?.code === "number" ? `${words}, code ${answer.code}` : words, hint);
}

function parse(text: string): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === "object" && answer !== null ? answer : undefined;
  } catch {
    return undefined;
  }
}
