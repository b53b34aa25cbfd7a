/** The file an entry belongs to: `/var/log/archive/$TAG-%Y-%m-%d.jsonl`. */
import { dirname } from "node:path";
import { timeTemplate } from "../shared/strftime.ts";

const TAG = "$TAG";
/** Longer tags are cut: a file name may have 255 bytes, a partition 512. */
const MAX_TAG = 96;

/** A tag as a part of a file name: nothing that separates directories, hides a file or leads out of the directory. */
export function tagInName(tag: string): string {
  return (
    tag
      .slice(0, MAX_TAG)
      .replace(/[^\w.-]/g, "_")
      .replace(/^\.+/, (dots) => "_".repeat(dots.length)) || "_"
  );
}

export interface PathTemplate {
  /** `ms`: milliseconds since the epoch. Remembers the last answer, so asking for every record is cheap. */
  render(ms: number, tag: string): string;
  /** The directory that all names share. */
  readonly base: string;
}

export function pathTemplate(path: string): PathTemplate {
  const times = timeTemplate(path);
  const firstVariable = path.search(/%|\$TAG/);
  const base = firstVariable < 0 ? dirname(path) : dirname(`${path.slice(0, firstVariable)}x`);
  if (!path.includes(TAG)) return { base, render: (ms) => times.format(ms) };
  let lastName: string | undefined;
  let lastTag = "";
  let rendered = "";
  return {
    base,
    render(ms, tag) {
      const name = times.format(ms);
      if (name !== lastName || tag !== lastTag) {
        rendered = name.replaceAll(TAG, () => tagInName(tag));
        lastName = name;
        lastTag = tag;
      }
      return rendered;
    },
  };
}
