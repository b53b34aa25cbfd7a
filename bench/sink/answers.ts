/** What each destination says, as its clients expect it. */
import type { Destination } from "./orders.ts";

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export const JSON_TYPE = "application/json";
const AWS_TYPE = "application/x-amz-json-1.1";

export const ok = (body: string, type = JSON_TYPE): Answer => ({ status: 200, type, body });

const CREATED = '{"create":{"status":201}}';
const BUSY = '{"create":{"status":429,"error":{"type":"es_rejected_execution_exception","reason":"queue capacity"}}}';

/** With `filter_path` an answer holds only what was asked for, as the real one does: no `took`. */
export function bulkAnswer(documents: number, took: boolean, item = CREATED): string {
  const items = documents === 0 ? "" : `${`${item},`.repeat(documents - 1)}${item}`;
  return `{${took ? '"took":1,' : ""}"errors":${item !== CREATED},"items":[${items}]}`;
}

export const NODE = ok('{"name":"sink","cluster_name":"sink","version":{"number":"9.5.0","build_flavor":"default"}}');
export const EVENTS_TAKEN = ok('{"text":"Success","code":0}');
export const MESSAGES_TAKEN = ok("{}", AWS_TYPE);
export const OBJECT_TAKEN = ok("", "application/xml");

/** A busy server's. `documents`: of a bulk request whose documents are refused one by one, as Elasticsearch does as often as the request as a whole. */
export function refusal(destination: Destination, documents?: number): Answer {
  switch (destination) {
    case "elasticsearch":
      if (documents !== undefined) return ok(bulkAnswer(documents, true, BUSY));
      return {
        status: 429,
        type: JSON_TYPE,
        body: '{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of coordinating operation"},"status":429}',
      };
    case "splunk":
      return { status: 503, type: JSON_TYPE, body: '{"text":"Server is busy","code":9}' };
    case "cloudwatch":
      return { status: 400, type: AWS_TYPE, body: '{"__type":"ThrottlingException","message":"Rate exceeded"}' };
    default:
      return {
        status: 503,
        type: "application/xml",
        body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
      };
  }
}
