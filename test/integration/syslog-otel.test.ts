/** RFC 5424 as a second, independent parser reads it: the OpenTelemetry Collector's syslog receiver. `OTEL_SYSLOG_PORT`, `OTEL_SYSLOG_OUT`. */
import { readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { until } from "../e2e/harness/until.ts";
import { syslogOutput, writeLines } from "../fakes/syslog-output.ts";
import { service } from "./services.ts";

const collector = service("OpenTelemetry Collector with a syslog receiver", ["OTEL_SYSLOG_PORT", "OTEL_SYSLOG_OUT"]);
const { OTEL_SYSLOG_PORT: port, OTEL_SYSLOG_OUT: file } = collector.env;

interface AnyValue {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly kvlistValue?: { readonly values: readonly { readonly key: string; readonly value: AnyValue }[] };
}
interface Exported {
  readonly resourceLogs: {
    scopeLogs: { logRecords: { timeUnixNano: string; attributes: { key: string; value: AnyValue }[] }[] }[];
  }[];
}

/** Attributes of each message it wrote since `from`, as plain values. */
function understood(from: number): Record<string, unknown>[] {
  const lines = readFileSync(file).subarray(from).toString("utf8").split("\n").slice(0, -1);
  return lines
    .flatMap((line) => (JSON.parse(line) as Exported).resourceLogs)
    .flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords))
    .map(({ attributes, timeUnixNano }) => ({ ...members(attributes), timeUnixNano }));
}

function members(values: readonly { readonly key: string; readonly value: AnyValue }[]): Record<string, unknown> {
  return Object.fromEntries(values.map(({ key, value }) => [key, plain(value)]));
}

function plain({ stringValue, intValue, kvlistValue }: AnyValue): unknown {
  return kvlistValue ? members(kvlistValue.values) : (stringValue ?? Number(intValue));
}

describe.runIf(collector.there)("a real OpenTelemetry Collector", () => {
  test("understands what was meant", async () => {
    const from = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    const out = await syslogOutput({ port, structured_data: ["tag", "note"], app_name: "dash", facility: "auth" });
    const notes = ['"]\\', "a\nb\r\n\tc\0", "é😀\u2028", "", "]", '\\"', " x = [y] "];
    const time = "2026-02-01T09:00:17.123456+01:00";
    const lines = notes.map((note, n) => JSON.stringify({ timestamp: time, event: "auth.login", pid: 42, n, note }));
    lines.push(JSON.stringify({ n: notes.length, level: "alert", big: "é".repeat(40_000) }));
    expect(await writeLines(out, lines)).toEqual({});
    await out.close();
    const got = await until("all to be written", () => {
      const read = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > from ? understood(from) : [];
      return read.length >= lines.length ? read : undefined;
    });
    for (const [n, note] of notes.entries())
      expect(got[n]).toMatchObject({
        ...{ facility: 4, priority: 36, hostname: "node-1", appname: "dash", proc_id: "42", msg_id: "auth.login" },
        structured_data: { "audit@32473": { tag: "audit.test", note } },
        message: lines[n],
        timeUnixNano: `${Date.parse(time) * 1000 + 456}000`,
      });
    expect(got[notes.length]).toMatchObject({ priority: 33, message: lines[notes.length] });
  });
});
