/** The file an entry belongs to: `/var/log/archive/$TAG-%Y-%m-%d.jsonl`. */
import { hash } from "node:crypto";
import { dirname, extname } from "node:path";
import { timeTemplate } from "../shared/strftime.ts";

const TAG = "$TAG";
const GROUP = "$GROUP";
/** Longer tags are cut: a file name may have 255 bytes, a partition 512. */
const MAX_TAG = 96;
const MAX_GROUP = 80;

/** A tag as a part of a file name: nothing that separates directories, hides a file or leads out of the directory. */
export function tagInName(tag: string): string {
  return (
    tag
      .slice(0, MAX_TAG)
      .replace(/[^\w.-]/g, "_")
      .replace(/^\.+/, (dots) => "_".repeat(dots.length)) || "_"
  );
}

/** A source's group likewise, without an ending; two groups never share a name. */
export function groupInName(group: string): string {
  const plain = group.slice(0, group.length - extname(group).length).replace(/^\/+/, "");
  return `${tagInName(plain.slice(-MAX_GROUP))}-${hash("sha256", group).slice(0, 8)}`;
}

export interface PathTemplate {
  /** `ms`: milliseconds since the epoch. Remembers the last answer, so asking for every record is cheap. */
  render(ms: number, tag: string, group: string): string;
  /** The directory that all names share. */
  readonly base: string;
}

export function pathTemplate(path: string): PathTemplate {
  const times = timeTemplate(path);
  const firstVariable = path.search(/%|\$TAG|\$GROUP/);
  const base = firstVariable < 0 ? dirname(path) : dirname(`${path.slice(0, firstVariable)}x`);
  if (!path.includes(TAG) && !path.includes(GROUP)) return { base, render: (ms) => times.format(ms) };
  let lastName: string | undefined;
  let lastTag = "";
  let lastGroup = "";
  let rendered = "";
  return {
    base,
    render(ms, tag, group) {
      const name = times.format(ms);
      if (name !== lastName || tag !== lastTag || group !== lastGroup) {
        rendered = name.replace(/\$TAG|\$GROUP/g, (word) => (word === TAG ? tagInName(tag) : groupInName(group)));
        lastName = name;
        lastTag = tag;
        lastGroup = group;
      }
      return rendered;
    },
  };
}
