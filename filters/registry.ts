import type { FilterDefinition } from "../agent/api/plugin.ts";
import { chain } from "./chain/index.ts";
import { excludeEvents } from "./exclude-events/index.ts";
import { includeEvents } from "./include-events/index.ts";
import { level } from "./level/index.ts";
import { metadata } from "./metadata/index.ts";

/** Every filter the agent knows. To add one: make its folder, then name it here. */
export const filters: readonly FilterDefinition[] = [chain, excludeEvents, includeEvents, level, metadata];
