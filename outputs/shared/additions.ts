/** Additions, prepared once for all the records that share them. */
import type { Addition, FieldReader } from "../../agent/api/batch.ts";

export interface Member {
  readonly name: string;
  /** The name as it stands between the quotes, in UTF-8. */
  readonly raw: Buffer;
  /** `"name":value` */
  readonly text: Buffer;
}

/** Additions below one top-level key. */
export interface Group {
  readonly key: string;
  /** Of the key, in the spans; -1 where no plugin of this pipeline named it (an addition stored under an earlier configuration). */
  readonly column: number;
  /** Value of an addition with a path of one name. */
  readonly whole: Buffer | undefined;
  readonly members: readonly Member[];
  /** Joined texts of the members, by which of them are left out: a memo of `merge.ts`. */
  readonly texts: Map<number, Buffer>;
}

export function member(name: string, json: Buffer): Member {
  const quoted = JSON.stringify(name);
  return {
    name,
    raw: Buffer.from(quoted.slice(1, -1)),
    text: Buffer.concat([Buffer.from(`${quoted}:`), json]),
  };
}

/**
 * Groups by top-level key, in order of appearance. Filters merge one after the other and what is there wins, so of two additions with
 * the same path the first counts.
 */
export function groupAdditions(additions: readonly Addition[], fields: FieldReader): Group[] {
  const groups = new Map<string, { whole: Buffer | undefined; members: Member[] }>();
  for (const { path, json } of additions) {
    const [key, name] = path;
    let group = groups.get(key);
    if (!group) {
      group = { whole: undefined, members: [] };
      groups.set(key, group);
    }
    if (name === undefined) group.whole ??= json;
    else if (!group.members.some((m) => m.name === name)) group.members.push(member(name, json));
  }
  return [...groups].map(([key, { whole, members }]) => ({
    key,
    column: fields.column(key),
    whole,
    members,
    texts: new Map(),
  }));
}
