import { useMemo } from "preact/hooks";
import { Chart, type Line } from "./chart.tsx";
import { rate, short, span } from "./format.ts";
import { markOf, outputMark, worstFirst } from "./mark.ts";
import type { Model } from "./use-agent.ts";

/** More lines than these cannot be told apart. */
const MOST = 6;

/** The last hour. */
export function Charts({ model: { view, timeline } }: { model: Model }) {
  const { inputs, outputs } = view;
  const { shown, more } = worstFirst(outputs, MOST - 1, outputMark);
  const readers = inputs.map(({ alias }) => alias);
  // Colours stay with the outputs, however they are sorted.
  const colours = useMemo(() => new Map<string, number>(), []);
  for (const { alias } of shown) if (!colours.has(alias)) colours.set(alias, 1 + colours.size);
  const drawn = [...shown].sort((a, b) => colours.get(a.alias)! - colours.get(b.alias)!);
  const perOutput = (values: (alias: string) => readonly (number | null)[]): Line[] =>
    drawn.map(({ alias }) => ({ name: alias, colour: colours.get(alias)!, values: values(alias) }));
  const left = more.length === 0 ? undefined : `${more.length} more outputs are not drawn`;
  const trouble =
    inputs.some((input) => markOf(input).mark !== "ok") || timeline.lag(readers).some((lag) => (lag ?? 0) > 1);
  return (
    <section id="over-time" aria-labelledby="over-time-title">
      <h2 id="over-time-title">The last hour</h2>
      <div class="charts">
        <Chart
          title="Throughput"
          unit="entries per second"
          times={timeline.times}
          lines={[
            { name: "read", colour: 0, values: timeline.read(readers) },
            ...perOutput((alias) => timeline.delivered(alias)),
          ]}
          format={rate}
          note={left}
        />
        <Chart
          title="Age of the oldest entry that waits"
          unit={trouble ? "and how far the inputs are behind" : "per output"}
          times={timeline.times}
          lines={[
            ...(trouble ? [{ name: "inputs", colour: 0, values: timeline.lag(readers) }] : []),
            ...perOutput((alias) => timeline.column("oldest", alias)),
          ]}
          format={span}
          time
          note={left}
        />
        <Chart
          title="Backlog"
          unit="entries that wait"
          times={timeline.times}
          lines={perOutput((alias) => timeline.column("backlog", alias))}
          format={short}
          note={left}
        />
      </div>
    </section>
  );
}
