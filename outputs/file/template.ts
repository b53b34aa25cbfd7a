/** The file an entry belongs to: `/var/log/archive/$TAG-%Y-%m-%d.jsonl`. */
import { hash } from "node:crypto";
import { dirname, extname } from "node:path";
import type { Source } from "../../agent/api/batch.ts";
import { timeTemplate } from "../shared/strftime.ts";

const WORDS = /\$(?:TAG|GROUP|SOURCE)/g;
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
  render(ms: number, tag: string, source: Pick<Source, "id" | "group">): string;
  /** The directory that all names share. */
  readonly base: string;
}

export function pathTemplate(path: string): PathTemplate {
  const times = timeTemplate(path);
  const firstVariable = path.search(/%|\$(?:TAG|GROUP|SOURCE)/);
  const base = firstVariable < 0 ? dirname(path) : dirname(`${path.slice(0, firstVariable)}x`);
  if (path.search(WORDS) < 0) return { base, render: (ms) => times.format(ms) };
  let lastName: string | undefined;
  let lastTag = "";
  let lastSource = "";
  let lastGroup = "";
  let rendered = "";
  return {
    base,
    render(ms, tag, { id, group }) {
      const name = times.format(ms);
      if (name !== lastName || tag !== lastTag || id !== lastSource || group !== lastGroup) {
        const words: Record<string, () => string> = {
          $TAG: () => tagInName(tag),
          $GROUP: () => groupInName(group),
          $SOURCE: () => tagInName(id),
        };
        rendered = name.replace(WORDS, (word) => words[word]!());
        lastName = name;
        lastTag = tag;
        lastSource = id;
        lastGroup = group;
      }
      return rendered;
    },
  };
}
