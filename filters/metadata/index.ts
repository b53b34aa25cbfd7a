import { hostname } from "node:os";
import { z } from "zod";
import type { Addition } from "../../agent/api/batch.ts";
import type { FilterContext } from "../../agent/api/context.ts";
import { defineFilter } from "../../agent/api/plugin.ts";

/** Environment variables that give a member, best first. */
const VARIABLES = {
  environment: ["ENVIRONMENT"],
  deployment_id: ["DEPLOYMENT_ID"],
  service: ["SERVICE_NAME"],
  region: ["REGION", "AWS_REGION", "AWS_DEFAULT_REGION"],
  pod: ["POD_NAME"],
  pod_ip: ["POD_IP"],
  namespace: ["POD_NAMESPACE"],
  container: ["CONTAINER_NAME"],
  k8s_node: ["NODE_NAME"],
} as const satisfies Record<string, readonly string[]>;

/** What the host and the agent know without a variable. */
const KNOWN = {
  hostname: () => hostname(),
  pid: () => process.pid,
  version: (context: FilterContext) => context.version,
  node: (context: FilterContext) => context.node,
} as const satisfies Record<string, (context: FilterContext) => string | number>;

const INCLUDED = [...Object.keys(KNOWN), ...Object.keys(VARIABLES)] as (keyof typeof KNOWN | keyof typeof VARIABLES)[];

function variable(name: keyof typeof VARIABLES): string | undefined {
  for (const key of VARIABLES[name]) if (process.env[key]) return process.env[key];
  return undefined;
}

export const metadata = defineFilter({
  name: "metadata",
  summary: "Adds members under `metadata` to every entry.",
  options: z.strictObject({
    add: z
      .record(z.string().min(1), z.json())
      .default({})
      .meta({ doc: "Members to add; any JSON value.", example: { environment: "production", team: "billing" } }),
    include: z
      .array(z.enum(INCLUDED))
      .default([])
      .meta({
        doc: "What to add from the agent (`hostname`, `node` = service.node, `pid` and `version` of the agent) and from environment variables.",
        example: ["hostname", "version", "environment"],
      }),
  }),
  example: { add: { environment: "production" }, include: ["hostname", "pid", "version"] },
  notes: [
    "An entry's own `metadata` is never overwritten: an object keeps its members and gains the missing ones; null or absent becomes the " +
      "object; anything else stays, and the additions go to `agent_metadata`. `add` wins over `include`.",
    "Environment variables: " +
      Object.entries(VARIABLES)
        .map(([name, keys]) => `\`${name}\` from ${keys.map((key) => `\`${key}\``).join(", else ")}`)
        .join("; ") +
      ". One that is not set adds nothing.",
  ].join("\n\n"),
  drops: false,
  fields: () => ["metadata", "agent_metadata"],
  check(options) {
    const warnings = options.include.flatMap((name, i) =>
      name in VARIABLES && variable(name as keyof typeof VARIABLES) === undefined
        ? [
            {
              path: ["include", i],
              message: `${VARIABLES[name as keyof typeof VARIABLES].join(" or ")} is not set: nothing is added`,
            },
          ]
        : [],
    );
    return { warnings };
  },
  create(options, context) {
    const members = new Map<string, unknown>();
    for (const name of options.include) {
      const value =
        name in KNOWN ? KNOWN[name as keyof typeof KNOWN](context) : variable(name as keyof typeof VARIABLES);
      if (value !== undefined) members.set(name, value);
    }
    for (const [name, value] of Object.entries(options.add)) members.set(name, value);
    const additions: readonly Addition[] = [...members].map(([name, value]) => ({
      path: ["metadata", name],
      json: Buffer.from(JSON.stringify(value)),
    }));
    return { process: (batch) => (additions.length === 0 || batch.count === 0 ? batch : batch.with(additions)) };
  },
});
