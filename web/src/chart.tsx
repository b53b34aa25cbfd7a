/** One chart, drawn by uPlot; its key is ours, so that it can be read by all and says the numbers at the pointer. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { onTheme } from "./theme.ts";

export interface Line {
  readonly name: string;
  /** Which of the colours `--line-0` and on. */
  readonly colour: number;
  readonly values: readonly (number | null)[];
}

interface Props {
  readonly title: string;
  readonly unit: string;
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Values are seconds: the axis has steps of minutes and hours. */
  readonly time?: boolean;
  readonly note?: string | undefined;
}

const HEIGHT = 170;
const HOUR_SECONDS = 3600;
const COLOURS = 7;
const DASHES: readonly number[][] = [[], [], [6, 3], [2, 3], [10, 3, 2, 3], [4, 2], [1, 2]];
const TIME_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400, 172_800, 604_800,
];
/** Two charts with one pointer: what happened then, here and there. */
const SYNC = "last-hour";

export function Chart({ title, unit, times, lines, format, time = false, note }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [theme, setTheme] = useState(0);
  const [at, setAt] = useState<number | null>(null);
  const shape = lines.map(({ name, colour }) => `${name}:${colour}`).join("\n");
  const data = [times, ...lines.map(({ values }) => values)] as unknown as uPlot.AlignedData;

  useEffect(() => onTheme(() => setTheme((n) => n + 1)), []);
  useLayoutEffect(() => {
    const element = place.current!;
    const options = optionsOf(element, lines, format, time, setAt);
    plot.current = new uPlot(options, data, element);
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [shape, theme]);
  // Nobody sees what is drawn while the page is hidden.
  useLayoutEffect(() => {
    if (!document.hidden) plot.current?.setData(data);
  });

  const index = at !== null && at < times.length ? at : times.length - 1;
  return (
    <figure class="panel chart">
      <figcaption>
        <h3>{title}</h3> <span class="unit">{unit}</span>
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
      <ul class="key" aria-label={`${title}: ${at === null ? "now" : "at the pointer"}`}>
        {lines.map(({ name, colour, values }) => {
          const value = at === null ? last(values) : values[index];
          return (
            <li key={name}>
              <svg class={`swatch line-${colour % COLOURS}`} viewBox="0 0 18 4" aria-hidden="true">
                <path d="M0 2H18" stroke-dasharray={(DASHES[colour % COLOURS] ?? []).join(" ")} />
              </svg>
              <span class="name">{name}</span> <strong>{typeof value === "number" ? format(value) : "–"}</strong>
            </li>
          );
        })}
        {note && <li class="note">{note}</li>}
      </ul>
    </figure>
  );
}

function last(values: readonly (number | null)[]): number | null | undefined {
  return values.at(-1) ?? values.at(-2);
}

function optionsOf(
  element: HTMLElement,
  lines: readonly Line[],
  format: (value: number) => string,
  time: boolean,
  pointed: (index: number | null) => void,
): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--muted"),
    font: `11px ${style.fontFamily}`,
    grid: { stroke: colour("--grid"), width: 1 },
    ticks: { show: false },
  };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 6, 0, 0],
    cursor: { y: false, drag: { x: false, y: false }, sync: { key: SYNC }, points: { size: 5 } },
    // From nothing up, and never so near that one entry looks like a mountain.
    scales: {
      x: { time: true, range: (_, __, max) => [max - HOUR_SECONDS, max] },
      y: { range: (_, __, max) => [0, Math.max(max * 1.08, time ? 2 : 5)] },
    },
    axes: [
      { ...axis, space: 60, size: 24, gap: 4, values: (_, splits) => splits.map(hourMinute) },
      {
        ...axis,
        space: 32,
        size: 52,
        gap: 4,
        ...(time ? { incrs: TIME_STEPS } : {}),
        values: (_, splits) => splits.map((value) => format(value).replace("/s", "")),
      },
    ],
    series: [
      {},
      ...lines.map(({ name, colour: index }) => ({
        label: name,
        stroke: colour(`--line-${index % COLOURS}`),
        width: index === 0 ? 2 : 1.5,
        dash: DASHES[index % COLOURS] ?? [],
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: { setCursor: [({ cursor }) => pointed(cursor.idx ?? null)] },
  };
}

const clockFormat = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const hourMinute = (seconds: number): string => clockFormat.format(seconds * 1000);
