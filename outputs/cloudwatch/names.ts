/** Names of groups and streams, made from an entry's tag and time and from the host. */
import { timeTemplate, timeTemplateProblem } from "../shared/strftime.ts";
import { MAX_NAME, RESERVED_PREFIX } from "./limits.ts";

const WORDS = /\$TAG\[(\d{1,2})\]|\$(TAG|HOSTNAME|NODE)(?![A-Za-z])/g;

export type Kind = "group" | "stream";

/**
 * API_CreateLogGroup: letters, digits and `. - _ / #`. API_CreateLogStream: anything but `:` and `*`; control characters and halves of
 * characters are ours to keep out.
 */
const FORBIDDEN: Readonly<Record<Kind, RegExp>> = { group: /[^\w./#-]/g, stream: /[:*\p{Cc}\p{Cs}]/gu };

export interface NameTemplate {
  /** Remembers the last answer, so asking for every record is cheap. */
  render(tag: string, ms: number): string;
}

export function nameProblem(template: string, kind: Kind): string | undefined {
  const time = timeTemplateProblem(template);
  if (time !== undefined) return time;
  const unknown = /\$[A-Za-z]+/.exec(template.replace(WORDS, ""));
  if (unknown) return `${unknown[0]} is unknown here; known are $TAG $TAG[n] $HOSTNAME $NODE`;
  const literal = template.replace(WORDS, "").replace(/%[^%]/g, "").replaceAll("%%", "%");
  const wrong = literal.match(FORBIDDEN[kind])?.[0];
  if (wrong !== undefined) return `must not hold ${JSON.stringify(wrong)}`;
  if (kind === "group" && template.startsWith(RESERVED_PREFIX))
    return `must not begin with ${RESERVED_PREFIX}, which the service keeps for itself`;
  return literal.length > MAX_NAME ? `is longer than ${MAX_NAME} characters` : undefined;
}

export function nameTemplate(template: string, kind: Kind, about: { hostname: string; node: string }): NameTemplate {
  const times = timeTemplate(template);
  const word = (tag: string, part: string | undefined, name: string) => {
    if (part !== undefined) return tag.split(".")[Number(part)] ?? "";
    return name === "TAG" ? tag : name === "NODE" ? about.node : about.hostname;
  };
  let lastTag: string | undefined;
  let lastTime = "";
  let last = "";
  return {
    render(tag, ms) {
      const time = times.format(ms);
      if (tag === lastTag && time === lastTime) return last;
      lastTag = tag;
      lastTime = time;
      last = allowed(
        time.replace(WORDS, (_, part: string | undefined, name: string) => word(tag, part, name)),
        kind,
      );
      return last;
    },
  };
}

/** A name as the service takes it. What it does not take becomes `_`, what is too long is cut: so two tags may share a stream, and none is lost. */
function allowed(name: string, kind: Kind): string {
  const safe = name.replace(FORBIDDEN[kind], "_");
  const free = kind === "group" && safe.startsWith(RESERVED_PREFIX) ? `_${safe}` : safe;
  // The cut may have left half a character.
  return free.slice(0, MAX_NAME).replace(FORBIDDEN[kind], "_") || "_";
}
