/** A real receiver of Splunk's protocol, and what it understood. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { service } from "./services.ts";

export const hec = service("Splunk HEC receiver", ["HEC_URL", "HEC_NOACK_URL", "HEC_TOKEN", "HEC_OUT"]);

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly kvlistValue?: { readonly values: readonly Attribute[] };
}
interface Attribute {
  readonly key: string;
  readonly value: Value;
}
interface LogRecord {
  readonly timeUnixNano: string;
  readonly body: Value;
  readonly attributes?: readonly Attribute[];
  readonly resource: readonly Attribute[];
}

export const plain = (value: Value | undefined): unknown =>
  value?.kvlistValue
    ? Object.fromEntries(value.kvlistValue.values.map((inner) => [inner.key, plain(inner.value)]))
    : (value?.stringValue ??
      value?.boolValue ??
      value?.doubleValue ??
      (value?.intValue === undefined ? undefined : Number(value.intValue)));
export const named = (list: readonly Attribute[] | undefined) =>
  Object.fromEntries((list ?? []).map(({ key, value }) => [key, plain(value)]));

/** What the collector wrote since `from`. */
export function understood(from: number): LogRecord[] {
  const path = hec.env.HEC_OUT;
  const length = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  const bytes = Buffer.alloc(Math.max(0, length - from));
  if (bytes.length === 0) return [];
  const file = openSync(path, "r");
  readSync(file, bytes, 0, bytes.length, from);
  closeSync(file);
  const lines = bytes.toString("utf8").split("\n").slice(0, -1);
  return lines.flatMap((line) => {
    const { resourceLogs } = JSON.parse(line) as {
      resourceLogs: {
        resource: { attributes: Attribute[] };
        scopeLogs: { logRecords: Omit<LogRecord, "resource">[] }[];
      }[];
    };
    return resourceLogs.flatMap(({ resource, scopeLogs }) =>
      scopeLogs.flatMap(({ logRecords }) => logRecords.map((r) => ({ ...r, resource: resource?.attributes ?? [] }))),
    );
  });
}

/** Where what it understands from now on begins. */
export const mark = () => statSync(hec.env.HEC_OUT, { throwIfNoEntry: false })?.size ?? 0;
