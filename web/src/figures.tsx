import type { ComponentChildren } from "preact";
import { bytes, count, plural, rate, short, span } from "./format.ts";
import { isDown } from "./mark.ts";
import { total } from "./rates.ts";
import type { Model } from "./use-agent.ts";

/** The numbers behind the verdict. */
export function Figures({ model: { view, rates } }: { model: Model }) {
  const { inputs, outputs, queue, dead_letters: letters, lost_at_input_bytes: vanished } = view;
  const waiting = outputs.reduce((sum, { backlog }) => sum + backlog.records, 0);
  const oldest = Math.max(0, ...outputs.map(({ backlog }) => (backlog.records > 0 ? backlog.oldest_seconds : 0)));
  const lag = Math.max(0, ...inputs.map(({ lag }) => (lag.bytes > 0 ? lag.seconds : 0)));
  const lost = outputs.reduce((sum, { ledger }) => sum + ledger.lost, 0);
  return (
    <dl class="figures" aria-label="In numbers">
      <Figure
        name="Read"
        value={rate(total(rates, inputs, "read"))}
        note={lag > 1 ? `${span(lag)} behind` : "up to date"}
      />
      <Figure
        name="Delivered"
        value={rate(total(rates, outputs, "delivered"))}
        note={by(outputs.length, outputs.filter((output) => !output.paused && !isDown(output)).length)}
      />
      <Figure name="Waiting" value={short(waiting)} note={waiting > 0 ? `the oldest ${span(oldest)}` : "nothing"} />
      <Figure
        name="Queue"
        value={bytes(queue.bytes)}
        note={
          <>
            <meter
              min={0}
              max={queue.max_bytes}
              high={queue.max_bytes * 0.8}
              value={queue.bytes}
              aria-label="How full the queue is"
            />
            of {bytes(queue.max_bytes)}
          </>
        }
      />
      <Figure
        name="Dead letters"
        value={count(letters.records)}
        note={letters.records > 0 ? bytes(letters.bytes) : "none refused"}
        mark={letters.records > 0 ? "warn" : undefined}
      />
      <Figure
        name="Lost"
        value={count(lost)}
        note={vanished > 0 ? `and ${bytes(vanished)} unread` : "since the first entry"}
        mark={lost > 0 || vanished > 0 ? "bad" : undefined}
      />
    </dl>
  );
}

function by(all: number, working: number): string {
  return working === all ? `by ${plural(all, "output")}` : `by ${working} of ${plural(all, "output")}`;
}

interface FigureProps {
  readonly name: string;
  readonly value: string;
  readonly note: ComponentChildren;
  readonly mark?: "warn" | "bad" | undefined;
}

function Figure({ name, value, note, mark }: FigureProps) {
  return (
    <div class={mark}>
      <dt>{name}</dt>
      <dd>
        <strong>{value}</strong> <small>{note}</small>
      </dd>
    </div>
  );
}
