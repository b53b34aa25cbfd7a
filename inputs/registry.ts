import type { InputDefinition } from "../agent/api/plugin.ts";
import { agentAudit } from "./agent-audit/index.ts";
import { internal } from "./internal/index.ts";
import { stdin } from "./stdin/index.ts";
import { tail } from "./tail/index.ts";

/** Every input the agent knows. To add one: make its folder, then name it here. */
export const inputs: readonly InputDefinition[] = [tail, agentAudit, stdin, internal];
