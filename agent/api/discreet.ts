import type { AgentEvent } from "./events.ts";

/**
 * Destinations quote what they refuse. A dead letter keeps their reason whole, in a file as protected as the queue; the log, /health, the
 * metrics and what is told of the agent itself say it without the entry's content. Names of fields, types and indices stay: without them
 * nobody could mend the mapping. Where it cannot be told apart, it is left out.
 */

/** After these words all is content, to the end: what is quoted may itself hold quotes. */
const QUOTED_TO_THE_END =
  /(Preview of field's value:|The prefix of the first immense term is:|For input string:|(?:Unrecognized|Invalid) token|Numeric value)\s.*$/s;

/** Reasons that are about the entries sent; an errno with a path, or a refused password, is not. */
const ABOUT_ENTRIES =
  /\b(?:(?:document_parsing|mapper_parsing|strict_dynamic_mapping|x_content_parse|parsing|json_parse|stream_constraints|input_coercion|number_format|date_time_parse|max_bytes_length_exceeded|illegal_argument)_exception|timestamp_error|HTTP 4(?:00|22)|validation error)|\bValue '/;

/** Before a bracket: what is in it is a name that the destination's set-up has too. */
const NAMED =
  /(?:\b(?<!date )field|type|types|mapper|mapping|mapping for|mapping set to|Field name|index|stream|format|alias|fields|depth|objects|documents|length|parse field|within)\s*$/;
const NAME = /^[^\s'"[\]{}=]{1,300}$/;
const PLACE = /^\d{1,10}:\d{1,10}$/;
const TYPE = /^[a-z_]{1,30}$/;

/** The reason without what it quotes of an entry. */
export function discreet(reason: string): string {
  const said = reason.replace(QUOTED_TO_THE_END, "$1 …");
  if (!ABOUT_ENTRIES.test(said)) return said;
  return withoutBrackets(withoutQuotes(said.replace(/\bwith id '([\w.:-]{1,200})'/, "with id $1")));
}

/** From the first quotation mark to the last: there may be more of them in what is quoted. */
function withoutQuotes(text: string): string {
  return text.replace(/(?<!\w)'.*'/s, "'…'").replace(/".*"/s, '"…"');
}

function withoutBrackets(text: string): string {
  for (const { index, 1: inner = "" } of text.matchAll(/\[([^\]]*)\]/g)) {
    const before = text.slice(Math.max(0, index - 40), index);
    if (PLACE.test(inner) || (TYPE.test(inner) && / (?:to|as) $/.test(before))) continue;
    if (NAME.test(inner) && NAMED.test(before)) continue;
    return `${text.slice(0, index)}[…]${text.slice(text.lastIndexOf("]") + 1)}`;
  }
  return text;
}

/** The event with such a reason, where it has one that a destination may have given. */
export function discreetly(event: AgentEvent): AgentEvent {
  switch (event.is) {
    case "rejected":
    case "retry":
    case "lost":
      return { ...event, reason: discreet(event.reason) };
    case "component":
      return event.reason === undefined ? event : { ...event, reason: discreet(event.reason) };
    case "notice":
      return { ...event, message: discreet(event.message) };
    default:
      return event;
  }
}
