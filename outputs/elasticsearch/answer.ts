/** Reads the answer to a bulk request, asked for with `filter_path` so that nothing but statuses and errors comes back. */
import type { BulkError } from "./classify.ts";

/**
 * Keeps the items' positions (`errors,items.*.error` would not) at 26 bytes per stored record: `failure_store` is there only where a data
 * stream has one and a document was refused.
 */
export const BULK_FILTER = "errors,items.*.status,items.*.error,items.*.failure_store";

export interface BulkItem {
  readonly status: number;
  readonly error: BulkError | undefined;
  /** It is in the data stream's failure store instead. */
  readonly redirected: boolean;
}

const HEAD = '{"errors":false,"items":[';
const CREATED = '{"create":{"status":201}},';
let manyCreated = CREATED.repeat(1024);

/**
 * The items, in the order of the records; undefined where every one of them was created. Throws a sentence where the answer is not one to
 * exactly `count` records, whatever it claims: then nobody knows what was stored, and all of it is written again.
 */
export function readAnswer(text: string, count: number): BulkItem[] | undefined {
  if (isAllCreated(text, count)) return undefined;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`the answer is not JSON: ${text.slice(0, 100)}`);
  }
  const { errors, items } = (typeof answer === "object" && answer !== null ? answer : {}) as Record<string, unknown>;
  if (typeof errors !== "boolean") throw new Error("the answer does not say whether there were errors");
  if (!Array.isArray(items)) throw new Error(`the answer has no items for ${count} records`);
  if (items.length !== count) throw new Error(`the answer has ${items.length} items for ${count} records`);
  return items.map(readItem);
}

/** The usual answer, recognised without parsing it. */
function isAllCreated(text: string, count: number): boolean {
  const length = count * CREATED.length - 1;
  if (count === 0 || text.length !== HEAD.length + length + 2 || !text.startsWith(HEAD) || !text.endsWith("]}"))
    return false;
  while (manyCreated.length < length) manyCreated += manyCreated;
  return text.slice(HEAD.length, -2) === manyCreated.slice(0, length);
}

function readItem(item: unknown): BulkItem {
  const create = (item as { create?: unknown } | null)?.create;
  const { status, error, failure_store } = (typeof create === "object" && create !== null ? create : {}) as Record<
    string,
    unknown
  >;
  if (typeof status !== "number" || !Number.isInteger(status))
    throw new Error("the answer has an item without a status");
  const known = typeof error === "object" && error !== null ? (error as BulkError) : undefined;
  if (status < 300 && error !== undefined) throw new Error("the answer calls a record stored and names an error");
  return { status, error: known, redirected: failure_store === "used" };
}
