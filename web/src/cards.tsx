/** A part of the pipeline in a few lines: its flow, what waits for it, how it is, and what it last complained of. */
import type { ComponentChildren } from "preact";
import type { FilterView, InputView, OutputView, QueueView } from "../../agent/api/operate.ts";
import type { Subject } from "./details.tsx";
import { byteRate, bytes, count, plural, rate, short, span } from "./format.ts";
import { inputMark, type Marked, markOf, outputMark } from "./mark.ts";
import { partId, waits } from "./problems.ts";
import { type Rates, rateOf } from "./rates.ts";
import { State } from "./signs.tsx";
import { visible } from "./text.ts";

interface CardProps {
  readonly id: string;
  readonly name: string;
  readonly plugin: string;
  readonly marked: Marked;
  readonly reason: string | null;
  readonly open?: (() => void) | undefined;
  readonly children: ComponentChildren;
}

function Card({ id, name, plugin, marked, reason, open, children }: CardProps) {
  return (
    <article id={id} class={`card ${marked.mark}`} tabIndex={-1}>
      <h4>
        {open ? (
          <button type="button" class="name" onClick={open} aria-haspopup="dialog">
            {name}
          </button>
        ) : (
          <span class="name">{name}</span>
        )}
        {plugin !== name && <span class="plugin">{plugin}</span>}
        <State marked={marked} quiet />
      </h4>
      {children}
      {reason !== null && marked.mark !== "ok" && <p class="said">{visible(reason)}</p>}
    </article>
  );
}

export function InputCard({
  input,
  rates,
  open,
}: {
  input: InputView;
  rates: Rates;
  open: (subject: Subject) => void;
}) {
  const { alias, plugin, lag, reason } = input;
  const files = lag.files === 0 ? "" : ` · ${plural(lag.files, "file")}`;
  return (
    <Card
      id={partId("input", alias)}
      name={alias}
      plugin={plugin}
      marked={inputMark(input)}
      reason={reason}
      open={() => open({ kind: "input", alias })}
    >
      <p class="flow">
        <strong>{rate(rateOf(rates, alias, "read"))}</strong> {byteRate(rateOf(rates, alias, "read_bytes"))}
        {files}
      </p>
      {lag.bytes > 0 && lag.seconds > 1 && (
        <p class="backlog">
          {bytes(lag.bytes)} to read, {span(lag.seconds)} behind
        </p>
      )}
    </Card>
  );
}

export function FilterCard({
  filter,
  rates,
  open,
}: {
  filter: FilterView;
  rates: Rates;
  open: (subject: Subject) => void;
}) {
  const { alias, plugin, reason, filtered, created, chains } = filter;
  const dropping = rateOf(rates, alias, "filtered") ?? 0;
  return (
    <Card
      id={partId("filter", alias)}
      name={alias}
      plugin={plugin}
      marked={markOf(filter)}
      reason={reason}
      open={() => open({ kind: "filter", alias })}
    >
      {chains ? (
        <p class="flow">
          {plural(chains.count, "chain")} · {short(chains.verified)} verified
          {chains.breaks > 0 ? ` · ${plural(chains.breaks, "break")}` : ""}
        </p>
      ) : (
        <p class="flow">
          {filtered > 0 ? `drops ${rate(dropping)} · ${short(filtered)} in all` : "drops nothing"}
          {created > 0 ? ` · ${count(created)} made` : ""}
        </p>
      )}
    </Card>
  );
}

export function QueueCard({ queue }: { queue: QueueView }) {
  const { bytes: size, max_bytes: max, segments, oldest_seconds: oldest, reason } = queue;
  return (
    <Card id="queue" name="disk queue" plugin="disk queue" marked={markOf(queue)} reason={reason}>
      <p class="flow">
        <strong>{bytes(size)}</strong> of {bytes(max)} · {plural(segments, "segment")}
      </p>
      <meter min={0} max={max} high={max * 0.8} value={size} aria-label="How full the queue is" />
      <p class="flow">{oldest > 1 ? `the oldest waits ${span(oldest)}` : "nothing waits"}</p>
    </Card>
  );
}

export function OutputCard({
  output,
  rates,
  open,
}: {
  output: OutputView;
  rates: Rates;
  open: (subject: Subject) => void;
}) {
  const { alias, plugin, reason, backlog, retries } = output;
  return (
    <Card
      id={partId("output", alias)}
      name={alias}
      plugin={plugin}
      marked={outputMark(output)}
      reason={reason}
      open={() => open({ kind: "output", alias })}
    >
      <p class="flow">
        <strong>{rate(rateOf(rates, alias, "delivered"))}</strong> {byteRate(rateOf(rates, alias, "delivered_bytes"))}
        {retries > 0 && reason !== null ? ` · ${plural(retries, "retry", "retries")}` : ""}
      </p>
      <p class="backlog">
        {waits(backlog.records)}
        {backlog.records > 0 && `, the oldest ${span(backlog.oldest_seconds)}`}
      </p>
    </Card>
  );
}
