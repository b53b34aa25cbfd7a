/** Names of groups and streams, made from an entry's tag and time and from the host. */
import { timeTemplate, timeTemplateProblem } from "../shared/strftime.ts";
import { MAX_NAME } from "./limits.ts";

const WORDS = /\$TAG\[(\d{1,2})\]|\$(TAG|HOSTNAME|NODE)(?![A-Z])/g;

export type Kind = "group" | "stream";

/** API_CreateLogGroup: letters, digits and `. - _ / #`. API_CreateLogStream: anything but `:` and `*`. */
const ALLOWED: Readonly<Record<Kind, RegExp>> = { group: /[^\w./#-]/g, stream: /[^\x20-\x7e]|[:*]/g };

export interface NameTemplate {
  /** Remembers the last answer, so asking for every record is cheap. */
  render(tag: string, ms: number): string;
}

export function nameProblem(template: string, kind: Kind): string | undefined {
  const time = timeTemplateProblem(template);
  if (time !== undefined) return time;
  const unknown = /\$[A-Z]+/.exec(template.replace(WORDS, ""));
  if (unknown) return `${unknown[0]} is unknown here; known are $TAG $TAG[n] $HOSTNAME $NODE`;
  const literal = template.replace(WORDS, "").replace(/%./g, "");
  const wrong = literal.match(ALLOWED[kind])?.[0];
  if (wrong !== undefined) return `must not hold ${JSON.stringify(wrong)}`;
  return template.length > MAX_NAME ? `is longer than ${MAX_NAME} characters` : undefined;
}

export function nameTemplate(template: string, kind: Kind, about: { hostname: string; node: string }): NameTemplate {
  const times = timeTemplate(template);
  const safe = (text: string) => text.replace(ALLOWED[kind], "_");
  let lastTag: string | undefined;
  let lastTime = "";
  let name = "";
  return {
    render(tag, ms) {
      const time = times.format(ms);
      if (tag === lastTag && time === lastTime) return name;
      lastTag = tag;
      lastTime = time;
      const words: Record<string, string> = { TAG: tag, HOSTNAME: about.hostname, NODE: about.node };
      name = time
        .replace(WORDS, (_, part: string | undefined, word: string) =>
          safe(part === undefined ? words[word]! : (tag.split(".")[Number(part)] ?? "")),
        )
        .slice(0, MAX_NAME);
      if (name === "") name = "_";
      return name;
    },
  };
}
