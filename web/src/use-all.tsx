import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Shown } from "./mark.ts";

/** A list that shows its worst first, and all on request. */
export function useAll<T>(
  items: readonly T[],
  choose: (items: readonly T[], most: number) => Shown<T>,
  kind: string,
  most: number,
): { shown: readonly T[]; more: ComponentChildren } {
  const [all, setAll] = useState(false);
  const chosen = choose(items, most);
  if (chosen.more.length === 0) return { shown: items, more: null };
  return {
    shown: all ? items : chosen.shown,
    more: (
      <button type="button" class="more" aria-expanded={all} onClick={() => setAll(!all)}>
        <span>{all ? `Fewer ${kind}` : `and ${chosen.more.length} more`}</span>
      </button>
    ),
  };
}
