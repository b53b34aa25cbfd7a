/** What can be said of a place where a chain does not hold; see docs/decisions/0011-hash-chains.md for the evidence each one needs. */
export const BREAK_KINDS = [
  "edited",
  "removed",
  "edited_or_removed",
  "duplicated",
  "reordered",
  "forked",
  "stripped",
  "malformed",
  "truncated",
  "rolled_back",
  "missing_file",
  "head_missing",
  "restarted",
] as const;

export type BreakKind = (typeof BREAK_KINDS)[number];

/** These happen in healthy installations. */
export const NO_TAMPERING: ReadonlySet<BreakKind> = new Set(["head_missing", "restarted"]);

/** One sentence each, for people. */
export const KIND_WORDS: Readonly<Record<BreakKind, string>> = {
  edited: "the entry was changed after it was written",
  removed: "entries before this one are missing",
  edited_or_removed: "this entry was changed, or entries before it are missing (this scheme cannot tell the two apart)",
  duplicated: "the entry is a copy of one before it",
  reordered: "the entry stands in another place than where it was written",
  forked: "two writers went on from the same entry",
  stripped: "the entry has no hash",
  malformed: "the line is not a JSON object",
  truncated: "entries at the end are missing",
  rolled_back: "the file holds other content than what was read of it before",
  missing_file: "the entries between the file before and this one are missing",
  head_missing: "the oldest file does not begin at the start of the chain (writers delete their oldest files)",
  restarted: "a new chain begins here (writers do that when they are started anew)",
};
