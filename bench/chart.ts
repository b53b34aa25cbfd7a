/** A line chart as SVG, readable on a light and on a dark page: it brings its own paper. */
import type { Line, Point } from "./fit.ts";

export interface Axis {
  /** With its unit. */
  readonly label: string;
}

export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly (Point & { readonly title: string })[];
  readonly line: Line;
  /** Beside the title, in small print. */
  readonly remark: string;
}

const WIDTH = 640;
const HEIGHT = 300;
const LEFT = 64;
const RIGHT = 24;
const TOP = 56;
const BOTTOM = 52;
const TICKS = 5;

/** Both axes begin at 0, so that a steep line is a steep line. */
export function svg({ title, x, y, points, line, remark }: Chart): string {
  const xs = ticks(Math.max(...points.map((point) => point.x)));
  const ys = ticks(Math.max(...points.map((point) => point.y), ends(line, xs.at(-1)!)));
  const across = (value: number) => round(LEFT + (value / xs.at(-1)!) * (WIDTH - LEFT - RIGHT));
  const up = (value: number) => round(HEIGHT - BOTTOM - (value / ys.at(-1)!) * (HEIGHT - TOP - BOTTOM));
  const last = xs.at(-1)!;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(title)}">
<style>
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a; }
.title { font-size: 15px; font-weight: 600; fill: #1f2328; }
.grid { stroke: #d8dee4; }
.axis { stroke: #8c959f; }
.fit { stroke: #8c959f; stroke-dasharray: 5 4; stroke-width: 1.5; }
.measured { fill: none; stroke: #0969da; stroke-width: 2; stroke-linejoin: round; }
circle { fill: #0969da; stroke: #f6f8fa; stroke-width: 2; }
</style>
<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="#f6f8fa"/>
<text class="title" x="${LEFT}" y="26">${escaped(title)}</text>
<text x="${LEFT}" y="43">${escaped(remark)}</text>
${ys
  .map(
    (value) => `<path class="${value === 0 ? "axis" : "grid"}" d="M${LEFT} ${up(value)}H${WIDTH - RIGHT}"/>
<text x="${LEFT - 8}" y="${round(up(value) + 4)}" text-anchor="end">${printed(value)}</text>`,
  )
  .join("\n")}
${xs.map((value) => `<text x="${across(value)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle">${printed(value)}</text>`).join("\n")}
<text x="${round((LEFT + WIDTH - RIGHT) / 2)}" y="${HEIGHT - 12}" text-anchor="middle">${escaped(x.label)}</text>
<text transform="translate(18 ${round((HEIGHT - BOTTOM + TOP) / 2)}) rotate(-90)" text-anchor="middle">${escaped(y.label)}</text>
<path class="fit" d="M${across(0)} ${up(Math.max(0, line.intercept))}L${across(last)} ${up(ends(line, last))}"/>
<path class="measured" d="M${points.map((point) => `${across(point.x)} ${up(point.y)}`).join("L")}"/>
${points.map((point) => `<circle cx="${across(point.x)}" cy="${up(point.y)}" r="5"><title>${escaped(point.title)}</title></circle>`).join("\n")}
</svg>
`;
}

function ends({ intercept, slope }: Line, x: number): number {
  return Math.max(0, intercept + slope * x);
}

/** From 0 to `most` or just above, in steps that people count in. */
export function ticks(most: number): number[] {
  const rough = most / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((each) => each >= rough * (1 - 1e-9))!;
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function printed(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
