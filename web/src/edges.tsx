/** The lines between the cards. Where the cards are is asked only when the picture changes its shape, not with each update. */
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Mark } from "./mark.ts";

export interface Edge {
  /** Ids of the cards. */
  readonly from: string;
  readonly to: string;
  readonly rate: number;
  readonly mark: Mark;
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly middle: number;
}

export function Edges({ edges }: { edges: readonly Edge[] }) {
  const svg = useRef<SVGSVGElement>(null);
  const [boxes, setBoxes] = useState<ReadonlyMap<string, Box>>(new Map());
  const shape = edges.map(({ from, to }) => `${from}>${to}`).join(" ");

  useLayoutEffect(() => {
    const picture = svg.current!.parentElement!;
    const measure = () => setBoxes(measured(picture, new Set(edges.flatMap(({ from, to }) => [from, to]))));
    const observer = new ResizeObserver(measure);
    observer.observe(picture);
    for (const cards of picture.querySelectorAll(".cards")) observer.observe(cards);
    measure();
    return () => observer.disconnect();
  }, [shape]);

  return (
    <svg ref={svg} class="edges" aria-hidden="true" focusable="false">
      {edges.map((edge) => {
        const from = boxes.get(edge.from);
        const to = boxes.get(edge.to);
        if (!from || !to) return null;
        const d = path(from, to);
        const key = `${edge.from}>${edge.to}`;
        return (
          <g key={key} class={`edge ${edge.mark}`}>
            <path class="bed" d={d} stroke-width={width(edge.rate)} />
            {edge.rate > 0 && <path class="stream" d={d} stroke-width={width(edge.rate)} />}
          </g>
        );
      })}
    </svg>
  );
}

/** Ten times as much is one step wider. */
function width(rate: number): number {
  return 1 + Math.log10(1 + rate) / 2;
}

function path(from: Box, to: Box): string {
  const bend = Math.max(12, (to.left - from.right) / 2);
  return `M${from.right} ${from.middle}C${from.right + bend} ${from.middle} ${to.left - bend} ${to.middle} ${to.left} ${to.middle}`;
}

function measured(picture: Element, ids: ReadonlySet<string>): Map<string, Box> {
  const { left, top } = picture.getBoundingClientRect();
  const boxes = new Map<string, Box>();
  for (const id of ids) {
    const box = document.getElementById(id)?.getBoundingClientRect();
    if (!box) continue;
    const middle = Math.round(box.top + box.height / 2 - top);
    boxes.set(id, { left: Math.round(box.left - left), right: Math.round(box.right - left), middle });
  }
  return boxes;
}
