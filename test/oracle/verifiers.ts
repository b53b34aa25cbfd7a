import { readFileSync } from "node:fs";
import { join } from "node:path";
import { schemeOf } from "../../agent/integrity/scheme.ts";
import type { Answer } from "./answer.ts";
import type { GeneratedCase } from "./generated.ts";
import { walk } from "./walk.ts";

/** Verifies the files in a case's folder, whose modification times are those the case says. */
type Verify = (about: GeneratedCase, folder: string) => Answer | Promise<Answer>;

interface Verifier {
  readonly name: string;
  /** It finds out itself in which order the files were written; else it is told. */
  readonly findsOrder: boolean;
  readonly verify: Verify;
}

/** All that is held against the generated chains: whoever verifies is named here, and nowhere else. */
export const VERIFIERS: readonly Verifier[] = [
  {
    name: "ChainReader and Judge",
    findsOrder: false,
    verify: (about, folder) =>
      walk(
        schemeOf(about.scheme, { hash: about.hash_key }),
        about.files_oldest_first.map((name) => ({ name, bytes: readFileSync(join(folder, name)) })),
      ),
  },
];
