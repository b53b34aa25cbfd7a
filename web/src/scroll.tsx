import type { ComponentChildren } from "preact";

/** What scrolls inside the page must be reachable without a mouse, and say what it is. */
export function Scroll({ label, kind, children }: { label: string; kind: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls.
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes the arrow keys.
    <div class={kind} role="group" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}
