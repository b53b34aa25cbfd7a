/** What Elasticsearch should hold of a line that was written, worked out without the agent's code. */
import { isUtf8 } from "node:buffer";

/** JSON with every number as it is written, so that 1.0 is not 1 and big integers keep their digits. */
export function parseExact(text: string): unknown {
  // The third argument is younger than TypeScript's library.
  const parse = JSON.parse as (
    text: string,
    reviver: (key: string, value: unknown, context: { source?: string }) => unknown,
  ) => unknown;
  return parse(withoutBackslashes(text), (_, value, { source }) => (typeof value === "number" ? source : value));
}

/**
 * JSON.parse of V8 14.6 (Node 26) mistakes keys: after `{"a":1,"\\":2}` it reads `{"a":1,"\t":2}` as if its key were a backslash, too, and
 * gives revivers the wrong source texts. So backslashes become another character before.
 */
function withoutBackslashes(text: string): string {
  return text.replace(/\\(?:u005c|.)/gis, (part) => (/^\\(?:\\|u005c)$/i.test(part) ? "\ue05c" : part));
}

/** Elasticsearch takes no document with a key twice. */
export function deadLine(line: Buffer): boolean {
  return line.includes('"twice": 1, "twice": 2');
}

/** The document without `@timestamp` and `time_from`; `shipped` is what the metadata filter adds. */
export function documentOf(line: Buffer, shipped: string): Record<string, unknown> {
  const entry = isUtf8(line) ? objectOf(line.toString()) : undefined;
  const document = entry ?? {
    message: line.toString(),
    ...(!isUtf8(line) && { message_base64: line.toString("base64") }),
    parse_error: "",
  };
  const { metadata } = document;
  if (metadata === undefined || metadata === null) document.metadata = { shipped };
  else if (typeof metadata === "object" && !Array.isArray(metadata)) document.metadata = { ...metadata, shipped };
  else document.agent_metadata = { shipped };
  return document;
}

/** The line's number, or its text where it has none. */
export function keyOf(document: Record<string, unknown>): string {
  return String(document.seq ?? document.message);
}

/** Python's NaN and Infinity arrive as null. */
function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value = parseExact(text.replace(/(?<=[:[,] ?)-?(NaN|Infinity)(?=[,\]}])/g, "null"));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
