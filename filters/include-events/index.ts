import { z } from "zod";
import { defineFilter } from "../../agent/api/plugin.ts";
import { View, viewFields } from "../../agent/api/view.ts";
import { EventMatcher, eventPatterns } from "../shared/events.ts";
import { Keeper } from "../shared/keep.ts";

export const includeEvents = defineFilter({
  name: "include_events",
  summary: "Keeps only the events that are named, by name or glob.",
  options: z.strictObject({ events: eventPatterns }),
  example: { events: ["auth.*", "session.start"] },
  notes:
    "An entry is kept if any of its names fits: one with `resource_type: session` and `action: start` is `session.start` and `start`. " +
    "JSON objects that name no event are dropped; lines that are no JSON object pass, because what could not be read must not vanish.",
  drops: true,
  fields: () => viewFields.event,
  create(options, context) {
    const view = new View(context.fields);
    const matcher = new EventMatcher(options.events, view);
    const keeper = new Keeper();
    return { process: (batch) => keeper.keep(batch, (b, i) => matcher.matches(b, i) || !view.isObject(b, i)) };
  },
});
