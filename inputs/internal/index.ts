import { z } from "zod";
import { defineInput } from "../../agent/api/plugin.ts";
import { InternalInput } from "./internal.ts";

export const internal = defineInput({
  name: "internal",
  summary: "The agent's own changes of state, so that a gap in forwarding is seen where the logs go.",
  options: z.strictObject({
    level: z
      .enum(["info", "warn", "error"])
      .default("warn")
      .meta({ doc: "The lowest level that is told. That a part is well again is told wherever its trouble was." }),
  }),
  example: { level: "warn" },
  notes:
    "Entries such as `agent.output.degraded` and `agent.output.ok`, `agent.lost`, `agent.rejected`, `agent.chain_break`, `agent.queue_full`, " +
    "`agent.queue_space`, `agent.disk_error`, `agent.queue_damaged` and `agent.notice` (errors only), each with `timestamp`, `level`, " +
    "`event`, `message`, the part and what is known of it; nothing an entry held. Of one part and event at most one entry in 10 seconds: " +
    "`count` says how many it stands for, `worst` the worst state among them. Of what comes while the queue is full the oldest is dropped " +
    "where it is too much; the next entry's `dropped` counts it. With `run --once` it tells what happened so far and ends at once.",
  create: ({ level }, context) => new InternalInput(level, context),
});
