/** Small drawings. All of them are decoration: the words stand beside them. */
import type { ComponentChildren } from "preact";
import type { Mark, Marked } from "./mark.ts";

const SHAPES: Readonly<Record<Mark, ComponentChildren>> = {
  ok: [<circle cx="8" cy="8" r="6.5" />, <path class="cut" d="M5 8.2l2.1 2.1L11 6" />],
  busy: [<circle class="ring" cx="8" cy="8" r="5.75" />, <path d="M8 4.5A3.5 3.5 0 0 1 8 11.5z" />],
  starting: [<circle class="ring dotted" cx="8" cy="8" r="5.75" />],
  paused: [
    <rect x="3.5" y="2.5" width="3.4" height="11" rx="1" />,
    <rect x="9.1" y="2.5" width="3.4" height="11" rx="1" />,
  ],
  off: [<circle class="ring" cx="8" cy="8" r="5.75" />],
  warn: [<path d="M8 1.6l6.9 12.3H1.1z" />, <path class="cut" d="M8 6v3.6M8 11.6v.2" />],
  bad: [
    <path d="M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2z" />,
    <path class="cut" d="M5.6 5.6l4.8 4.8M10.4 5.6l-4.8 4.8" />,
  ],
};

export function Sign({ mark }: { mark: Mark }) {
  return (
    <svg class={`sign ${mark}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {SHAPES[mark]}
    </svg>
  );
}

/** A part that is well needs no word on screen: calm is the absence of words. */
export function State({ marked, quiet = false }: { marked: Marked; quiet?: boolean }) {
  return (
    <span class={`state ${marked.mark}`}>
      <Sign mark={marked.mark} />
      <span class={quiet && marked.mark === "ok" ? "unseen" : undefined}>{marked.word}</span>
    </span>
  );
}

/** Links of a chain, one of them whole. */
export function Logo() {
  return (
    <svg class="logo" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <rect x="2" y="8" width="12" height="8" rx="4" />
      <rect x="10" y="8" width="12" height="8" rx="4" />
    </svg>
  );
}
