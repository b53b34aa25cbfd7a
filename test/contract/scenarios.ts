/**
 * What every output must do, each clause a named function, so that the suite itself can be tried against broken outputs.
 * The names are cited in CONTRIBUTING.md: keep them.
 */
import { content } from "./content.ts";
import type { Scenario } from "./harness.ts";
import { trouble } from "./trouble.ts";

export const scenarios: readonly Scenario[] = [...content, ...trouble];
