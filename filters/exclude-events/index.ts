import { z } from "zod";
import { defineFilter } from "../../agent/api/plugin.ts";
import { View, viewFields } from "../../agent/api/view.ts";
import { EventMatcher, eventPatterns } from "../shared/events.ts";
import { Keeper } from "../shared/keep.ts";

export const excludeEvents = defineFilter({
  name: "exclude_events",
  summary: "Drops the events that are named, by name or glob.",
  options: z.strictObject({ events: eventPatterns }),
  example: { events: ["api.request", "session.*"] },
  notes:
    "An entry is dropped if any of its names fits: one with `resource_type: session` and `action: start` is `session.start` and `start`. " +
    "Lines that are no JSON object have no event and pass.",
  drops: true,
  fields: () => viewFields.event,
  create(options, context) {
    const matcher = new EventMatcher(options.events, new View(context.fields));
    const keeper = new Keeper();
    return { process: (batch) => keeper.keep(batch, (b, i) => !matcher.matches(b, i)) };
  },
});
