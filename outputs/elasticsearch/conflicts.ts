/**
 * A 409 on a record that was never sent before: something stands under its id. If it is the very entry (the agent was reinstalled and
 * reads its files again), it is stored. If it is anything else, somebody took the id, and the entry must not vanish behind it.
 */
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { Failure } from "../../agent/api/output.ts";
import type { BodyBuilder } from "./body.ts";
import { type BulkError, classifyRequest, reasonOf } from "./classify.ts";
import type { ElasticsearchClient } from "./client.ts";
import { isObject, isSameEntry, type Json, parseExact } from "./compare.ts";

export interface Conflict {
  /** Index in the write. */
  readonly at: number;
  readonly batch: RecordBatch;
  readonly index: number;
  /** The index that holds the other document, where the answer named it: of a data stream, only this can be read. */
  readonly held: string | undefined;
}

/** Documents asked for at once: at the largest line the agent lets pass, an answer still fits in memory. */
const AT_ONCE = 100;

/** Puts what is not the same into `failed`; returns how many are. */
export async function resolveConflicts(
  conflicts: readonly Conflict[],
  client: ElasticsearchClient,
  builder: BodyBuilder,
  nowMs: number,
  failed: Map<number, Failure>,
  signal: AbortSignal,
): Promise<number> {
  let same = 0;
  for (let from = 0; from < conflicts.length; from += AT_ONCE) {
    const some = conflicts.slice(from, from + AT_ONCE);
    const ours = some.map(({ batch, index, held }) => ({ ...builder.again(batch, index), id: batch.id(index), held }));
    builder.release();
    const docs = ours.map(({ target, held, id }) => ({ _index: held ?? target, _id: id }));
    const body = JSON.stringify({ docs });
    const answer = await client.ask({ method: "POST", path: "/_mget", body, verbatim: true }, signal);
    const verdict = classifyRequest(answer.status, answer.text, answer.retryAfter, nowMs);
    const found = verdict.is === "read" ? readDocuments(answer.text, docs.length) : undefined;
    for (const [i, { at }] of some.entries()) {
      const failure = found
        ? judge(ours[i]!, found[i])
        : {
            action: verdict.is === "blocked" || verdict.is === "refused" ? ("block" as const) : ("retry" as const),
            reason: `cannot compare with the document under the same id: ${"reason" in verdict ? verdict.reason : "not readable"}`,
          };
      if (failure === undefined) same++;
      else failed.set(at, failure);
    }
  }
  return same;
}

function readDocuments(text: string, count: number): Json[] | undefined {
  try {
    const answer = parseExact(text);
    const docs = isObject(answer) ? answer.docs : undefined;
    return Array.isArray(docs) && docs.length === count ? docs : undefined;
  } catch {
    return undefined;
  }
}

interface Ours {
  readonly id: string;
  readonly target: string;
  readonly held: string | undefined;
  readonly document: string;
  readonly added: readonly (readonly string[])[];
}

/** undefined: it is the very entry. */
function judge(ours: Ours, doc: Json | undefined): Failure | undefined {
  if (!isObject(doc) || doc._id !== ours.id)
    return { action: "retry", reason: "the answer to _mget is not to what was asked" };
  if (isObject(doc.error)) {
    const reason = `cannot compare with the document under the same id: ${reasonOf(0, doc.error as BulkError)}`;
    return { action: "block", reason };
  }
  if (doc.found !== true) return { action: "retry", reason: "the document under the same id has gone again" };
  if (doc._source === undefined) {
    return {
      action: "block",
      reason: "cannot compare with the document under the same id: the index keeps no _source",
    };
  }
  try {
    if (isSameEntry(parseExact(ours.document), doc._source, ours.added)) return undefined;
  } catch {
    // Not JSON that can be compared, so not the same.
  }
  return {
    action: "reject",
    reason: `id_collision: another document has the id ${ours.id} in ${ours.held ?? ours.target}`,
  };
}
