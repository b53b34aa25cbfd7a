/** The pipeline as it is: what comes in on the left, where it goes on the right, and between them the one queue. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { FilterView, InputView, OutputView } from "../../agent/api/operate.ts";
import { FilterCard, InputCard, OutputCard, QueueCard } from "./cards.tsx";
import type { Subject } from "./details.tsx";
import { type Edge, Edges } from "./edges.tsx";
import { bytes, rate } from "./format.ts";
import { inputMark, markOf, outputMark, worstFirst } from "./mark.ts";
import { partId } from "./problems.ts";
import { type Rates, rateOf, total } from "./rates.ts";
import type { Model } from "./use-agent.ts";

const MOST = { inputs: 6, filters: 6, outputs: 8 };

export function Picture({ model, open }: { model: Model; open: (subject: Subject) => void }) {
  const { view, rates } = model;
  const { inputs, filters, outputs, queue } = view;
  const [all, setAll] = useState<ReadonlySet<string>>(new Set());
  const most = (kind: keyof typeof MOST) => (all.has(kind) ? Number.POSITIVE_INFINITY : MOST[kind]);
  const toggle = (kind: string) => setAll((before) => new Set(before.has(kind) ? [] : [...before, kind]));

  const shownInputs = worstFirst(inputs, most("inputs"), inputMark);
  const shownFilters = worstFirst(filters, most("filters"), markOf);
  const shownOutputs = worstFirst(outputs, most("outputs"), outputMark);
  const read = total(rates, inputs, "read");
  return (
    <section id="pipeline" aria-labelledby="pipeline-title">
      <h2 id="pipeline-title">Pipeline</h2>
      <div class={filters.length > 0 ? "picture panel" : "picture panel no-filters"}>
        <Edges edges={edgesOf(shownInputs.shown, shownFilters.shown, shownOutputs.shown, rates)} />
        <Column title="Inputs" number={inputs.length} sum={rate(read)}>
          {shownInputs.shown.map((input) => (
            <InputCard key={input.alias} input={input} rates={rates} open={open} />
          ))}
          <More more={shownInputs.more} kind="inputs" expanded={all.has("inputs")} toggle={toggle}>
            {rate(total(rates, shownInputs.more, "read"))}
          </More>
        </Column>
        {filters.length > 0 && (
          <Column title="Filters" number={filters.length} sum={sumOfFiltered(filters, rates)}>
            {shownFilters.shown.map((filter) => (
              <FilterCard key={filter.alias} filter={filter} rates={rates} open={open} />
            ))}
            <More more={shownFilters.more} kind="filters" expanded={all.has("filters")} toggle={toggle} />
          </Column>
        )}
        <Column title="Queue" sum={bytes(queue.bytes)}>
          <QueueCard queue={queue} />
        </Column>
        <Column title="Outputs" number={outputs.length} sum={rate(total(rates, outputs, "delivered"))}>
          {shownOutputs.shown.map((output) => (
            <OutputCard key={output.alias} output={output} rates={rates} open={open} />
          ))}
          <More more={shownOutputs.more} kind="outputs" expanded={all.has("outputs")} toggle={toggle}>
            {rate(total(rates, shownOutputs.more, "delivered"))}
          </More>
        </Column>
      </div>
    </section>
  );
}

function sumOfFiltered(filters: readonly FilterView[], rates: Rates): string {
  const filtered = total(rates, filters, "filtered");
  return filtered === undefined || filtered === 0 ? "" : `−${rate(filtered)}`;
}

/** Each input into the first filter, filter to filter, the last into the queue, and from there to each output. */
function edgesOf(
  inputs: readonly InputView[],
  filters: readonly FilterView[],
  outputs: readonly OutputView[],
  rates: Rates,
): Edge[] {
  const [first] = filters;
  const last = filters.at(-1);
  const into = first ? partId("filter", first.alias) : "queue";
  const read = total(rates, inputs, "read") ?? 0;
  const edges: Edge[] = inputs.map((input) => ({
    from: partId("input", input.alias),
    to: into,
    rate: rateOf(rates, input.alias, "read") ?? 0,
    mark: inputMark(input).mark,
  }));
  if (last) edges.push({ from: partId("filter", last.alias), to: "queue", rate: read, mark: "ok" });
  for (const output of outputs) {
    const { mark } = outputMark(output);
    edges.push({
      from: "queue",
      to: partId("output", output.alias),
      rate: rateOf(rates, output.alias, "delivered") ?? 0,
      mark,
    });
  }
  return edges;
}

interface ColumnProps {
  readonly title: string;
  readonly number?: number;
  readonly sum: string;
  readonly children: ComponentChildren;
}

function Column({ title, number, sum, children }: ColumnProps) {
  return (
    <div class="column" data-column={title.toLowerCase()}>
      <h3>
        {title} {number !== undefined && number > 1 && <span class="number">{number}</span>}{" "}
        <span class="sum">{sum}</span>
      </h3>
      <div class="cards">{children}</div>
    </div>
  );
}

interface MoreProps {
  readonly more: readonly unknown[];
  readonly kind: string;
  readonly expanded: boolean;
  readonly toggle: (kind: string) => void;
  readonly children?: ComponentChildren;
}

function More({ more, kind, expanded, toggle, children }: MoreProps) {
  if (more.length === 0 && !expanded) return null;
  return (
    <button type="button" class="more" aria-expanded={expanded} onClick={() => toggle(kind)}>
      <span>{expanded ? `Fewer ${kind}` : `and ${more.length} more`}</span>
      {!expanded && children && <span class="beside">{children}</span>}
    </button>
  );
}
