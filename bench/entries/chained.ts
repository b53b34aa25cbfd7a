/** A hash chain as the dashboard writes it, of entries like those of the usual mix. */
import { CHAIN_WRITERS, genesisOf } from "../chain-corpus.ts";
import type { EntrySource } from "./entry.ts";
import { dashboardMembers, isKept } from "./mixed.ts";

const SCHEME = "loki-dashboard";

export const chained: EntrySource = {
  kind: "chained",
  entries: 2_000_000,
  from(next) {
    let previous = genesisOf(SCHEME);
    return (i) => {
      const members = dashboardMembers(i, next);
      const { line, hash } = CHAIN_WRITERS[SCHEME](members, i, previous);
      previous = hash;
      return { line, kept: isKept(members) };
    };
  },
};
