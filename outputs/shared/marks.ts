/** What filters marked a record with, as members of its encoded object. */
import { RecordFlag } from "../../agent/api/batch.ts";
import { type Group, member } from "./additions.ts";

/** Bits of a record's flags that make a member. */
export const MARKED = RecordFlag.broken | RecordFlag.unverified;

const groupOf = (word: string): Group => ({
  key: "integrity",
  column: -1,
  whole: undefined,
  members: [member("chain", Buffer.from(`"${word}"`))],
  texts: new Map(),
});
const BROKEN = groupOf("broken");
const UNVERIFIED = groupOf("unverified");

/** The additions of a marked record: `{"integrity":{"chain":"broken"}}` and those of its batch. */
export function withMark(groups: readonly Group[], flags: number): readonly Group[] {
  const mark = (flags & RecordFlag.broken) !== 0 ? BROKEN : UNVERIFIED;
  const [{ name }] = mark.members as [Group["members"][number]];
  const at = groups.findIndex(({ key }) => key === mark.key);
  if (at < 0) return [...groups, mark];
  const group = groups[at]!;
  const members = [...mark.members, ...group.members.filter((other) => other.name !== name)];
  return groups.with(at, { ...group, members, texts: new Map() });
}
