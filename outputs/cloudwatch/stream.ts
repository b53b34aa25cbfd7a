/** What becomes of one stream's events in one write. */
import type { Failure } from "../../agent/api/output.ts";
import type { AwsFailure } from "../shared/aws-failure.ts";
import { bodyOf, type LogEvent, type Target } from "./events.ts";
import { hopeless, rejectedOf, requestsOf } from "./limits.ts";
import type { LogService } from "./service.ts";

/** Why events of a stream are not stored. */
export interface Trouble {
  readonly kind: Exclude<AwsFailure["kind"], "too_large">;
  readonly reason: string;
  readonly pauseMs: number | undefined;
}

export interface Shipping {
  readonly service: LogService;
  readonly text: Buffer;
  readonly signal: AbortSignal;
  /** What is not stored is in it afterwards. */
  readonly failed: Map<number, Failure>;
  /** When to send again, once, what the service calls too old or too new; undefined: not at all. */
  readonly lateMs: number | undefined;
}

interface Part {
  readonly events: readonly LogEvent[];
  readonly late: boolean;
  /** Why it was refused, as long as that may have been for any of them. */
  readonly doubt?: string;
}

/** Of a request refused as a whole: the one event's fault for certain. */
const TOO_LARGE = "Log event too large";

/** Where so many requests are refused and none is taken, it is not the events; they are not all tried one by one. */
const ENOUGH_REFUSALS = 50;

/** One request after the other. Throws only when the signal aborts. */
export async function shipStream(target: Target, shipping: Shipping): Promise<Trouble | undefined> {
  const { service, text, signal, failed, lateMs } = shipping;
  /** The next is the last. */
  const todo: Part[] = partsOf(target.events, false);
  /** Refused while the service has taken none of this stream: theirs may be the fault, or that of the set-up. */
  const doubtful: Part[] = [];
  let accepted = false;
  let refusals = 0;
  for (let part = next(); part !== undefined; part = next()) {
    const { events, late } = part;
    try {
      // No stream is made for events that it would not take: a first start on old files would leave one for every day, all empty.
      let none: Map<number, string> | undefined;
      const worth = (now: number) => {
        none = hopeless(events, now);
        return none === undefined;
      };
      const answer = await service.put(target, bodyOf(target, events, text), signal, worth);
      const rejected = answer === "missing" ? none! : rejectedOf(answer, events.length);
      const again: LogEvent[] = [];
      for (const [i, reason] of rejected) {
        if (lateMs !== undefined && !late) again.push({ ...events[i]!, ms: lateMs });
        else failed.set(events[i]!.at, { action: "reject", certain: true, reason });
      }
      // Behind everything else: theirs is the newest time.
      todo.unshift(...partsOf(again, true));
      accepted = true;
      for (const one of doubtful.splice(0).reverse()) blame(one, one.doubt!);
    } catch (error) {
      signal.throwIfAborted();
      const { kind, code, reason, pauseMs } = service.failure(error);
      if (kind === "too_large" || code === "InvalidParameterException") {
        refusals++;
        // The first to stand alone waits until it shows whether others are taken; so do, whole, the parts behind it.
        const sure = accepted || reason.includes(TOO_LARGE) || (events.length > 1 && doubtful.length === 0);
        if (sure) blame(part, reason);
        else doubtful.push({ ...part, doubt: reason });
        continue;
      }
      name([part, ...todo, ...doubtful], { action: kind === "operator" ? "block" : "retry", reason });
      return { kind, reason, pauseMs };
    }
  }
  const reason = doubtful[0]?.doubt;
  if (reason === undefined) return undefined;
  name(doubtful, { action: "block", reason });
  return { kind: "operator", reason, pauseMs: undefined };

  function next(): Part | undefined {
    if (todo.length === 0 && refusals < ENOUGH_REFUSALS) {
      const at = doubtful.findIndex((one) => one.events.length > 1);
      if (at >= 0) blame(doubtful.splice(at, 1)[0]!, "");
    }
    return todo.pop();
  }

  /** Halved until the guilty stand alone. */
  function blame({ events, late }: Part, why: string): void {
    const half = Math.ceil(events.length / 2);
    if (events.length > 1) todo.push({ events: events.slice(half), late }, { events: events.slice(0, half), late });
    else
      failed.set(events[0]!.at, { action: "reject", reason: why, ...(why.includes(TOO_LARGE) && { certain: true }) });
  }

  function name(parts: readonly Part[], failure: Failure): void {
    for (const { events } of parts) for (const { at } of events) failed.set(at, failure);
  }
}

/** The first is the last. */
function partsOf(events: readonly LogEvent[], late: boolean): Part[] {
  return requestsOf(events)
    .map((request) => ({ events: request, late }))
    .reverse();
}
