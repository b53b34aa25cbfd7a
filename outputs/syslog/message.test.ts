import { spawnSync } from "node:child_process";
import { describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf } from "../../test/contract/records.ts";
import { ByteWriter } from "../shared/writer.ts";
import definition from "./index.ts";
import { MessageBuilder } from "./message.ts";
import { checkOptions, type SyslogOptions, serversOf, syslogOptions } from "./options.ts";

function build(options: Record<string, unknown>, batch: RecordBatch): (string | Buffer)[] {
  const parsed = syslogOptions.parse({ host: "h", ...options }) as SyslogOptions;
  const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
  const builder = new MessageBuilder(parsed, { node: "host 1", fields, emit: () => undefined, alias: "s" });
  return Array.from({ length: batch.count }, (_, i) => {
    const writer = new ByteWriter();
    return builder.write(batch, i, writer) ?? Buffer.from(writer.view());
  });
}
const text = (options: Record<string, unknown>, line: string) =>
  String(build(options, batchOf([line], { offset: 0 }))[0]);

const ENTRY =
  '{"timestamp":"2026-02-01T09:00:17.123456789+01:30","event":"auth.login","level":"info","pid":42,"actor":"Zo\\u00eb","note":"a\\"b]c\\\\","chain_hash":"ab12"}';

test("RFC 5424: every field from the entry, parameters escaped, the body its own bytes", () => {
  const options = { structured_data: ["tag", "record_id", "chain_hash", "note", "absent"], app_name: "dash" };
  expect(text(options, ENTRY)).toBe(
    '<134>1 2026-02-01T09:00:17.123456+01:30 host_1 dash 42 auth.login [audit@32473 tag="audit.test" ' +
      `record_id="AAAAAAAAAAAAAAAAAAAAAA-0" chain_hash="ab12" note="a\\"b\\]c\\\\"] ${ENTRY}`,
  );
});

test.each([
  ['{"level":"error"}', {}, "<131>1 2026-02-01T00:00:00.000Z host_1 audit-agent - - - "],
  ['{"action":"delete"}', {}, "<132>1 2026-02-01T00:00:00.000Z host_1 audit-agent - delete - "],
  ['{"time":"2026-02-01T10:00:00Z"}', { facility: "auth", severity: "debug" }, "<39>1 2026-02-01T10:00:00.000Z "],
  ["no JSON", { hostname: "h" }, "<134>1 2026-02-01T00:00:00.000Z h audit-agent - - - "],
  ['{"event":"a b\\u2028c"}', { app_name: "x" }, "<134>1 2026-02-01T00:00:00.000Z host_1 x - a_b_c - "],
])("%s with %j", (line, options, begins) => {
  expect(text({ structured_data: [], ...options }, line).slice(0, begins.length)).toBe(begins);
});

test("RFC 3164: the host's local time, host and tag", () => {
  const at = new Date(Date.UTC(2026, 1, 1, 8, 0, 17));
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const day = `Feb ${String(at.getDate()).padStart(2, " ")}`;
  const line = '{"timestamp":"2026-02-01T08:00:17Z"}';
  expect(text({ format: "rfc3164", app_name: "a/b" }, line)).toBe(`<134>${day} ${clock} host_1 a_b: ${line}`);
});

test("an input's facility and severity come first", () => {
  const batch = batchOf(['{"level":"error"}']);
  const source = { ...batch.source, facility: "authpriv", severity: "notice" };
  const [message] = build({ facility: "local7" }, Object.assign(Object.create(batch), { source, scanned: undefined }));
  expect(String(message)).toMatch(/^<85>1 /);
});

test("templates take fields as text, and never a line break", () => {
  const options = { message: "template", template: "{event}: {actor} did {details} [{absent}]", structured_data: [] };
  const line = '{"event":"a\\nb","actor":"Zo\\u00eb","details":{"n":1}}';
  expect(text(options, line)).toMatch(/ - a b: Zoë did {"n":1} \[\]$/);
});

describe("longer than allowed", () => {
  const line = `{"x":"${"é".repeat(1_000)}"}`;
  test("cut at the start of a character, with a mark", () => {
    const message = build({ max_message_size: "480", structured_data: [] }, batchOf([line]))[0] as Buffer;
    expect(message.length).toBeGreaterThan(476);
    expect(message.length).toBeLessThanOrEqual(480);
    expect(message.toString()).toMatch(/é \[cut\]$/);
    expect(message.toString()).not.toContain("\ufffd");
  });
  test("or a dead letter", () => {
    const [reason] = build({ max_message_size: "480", too_long: "dead_letter" }, batchOf([line]));
    expect(reason).toMatch(/^the message has \d+ bytes; 480 are the most/);
  });
});

test("what makes no sense is refused, with what to do", () => {
  const check = (options: object) => checkOptions(syslogOptions.parse({ host: "h", ...options }) as SyslogOptions);
  const errors = (options: object) => check(options).errors.map(({ path, message }) => `${path.join(".")} ${message}`);
  expect(errors({ protocol: "tls" })).toEqual([]);
  expect(errors({ tls: {} })).toEqual([expect.stringContaining("set `protocol: tls`")]);
  expect(errors({ host: ["a b"] })).toEqual([expect.stringContaining("host.0 must be a host name")]);
  expect(errors({ format: "loki", protocol: "relp" })).toHaveLength(1);
  expect(errors({ message: "template" })).toHaveLength(1);
  expect(errors({ max_message_size: "100" })).toHaveLength(1);
  expect(errors({ max_message_size: "100k" })).toHaveLength(1);
  expect(check({}).warnings).toHaveLength(1);
});

test("servers are hosts with or without their ports", () => {
  const host = ["a", "b:1", "::1", "[::1]:2", "10.0.0.1:3"];
  expect(serversOf({ host, port: undefined, protocol: "tls" })).toEqual([
    { host: "a", port: 6514 },
    { host: "b", port: 1 },
    { host: "::1", port: 6514 },
    { host: "::1", port: 2 },
    { host: "10.0.0.1", port: 3 },
  ]);
});

/** The forwarder's own code: SysLogHandler with the severity it chooses, and json.dumps as it calls it. */
const FORWARDER = `
import json, logging, logging.handlers, socket, sys
ACTIONS = {"delete", "kill", "stop", "login", "logout", "create_token", "revoke_token"}
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 0))
receiver.settimeout(10)
handler = logging.handlers.SysLogHandler(address=receiver.getsockname(), facility=logging.handlers.SysLogHandler.LOG_LOCAL0)
logger = logging.getLogger("loki"); logger.setLevel(logging.INFO); logger.addHandler(handler)
for line in sys.stdin:
    entry = json.loads(line)
    security = entry.get("action") in ACTIONS or ("success" in entry and not entry["success"])
    logger.log(logging.WARNING if security else logging.INFO, "loki-audit: " + json.dumps(entry, separators=(",", ":")))
    print(receiver.recv(65535).hex())
`;
const LINES = [
  '{"action": "delete", "resource_type": "token", "success": true, "n": 1}',
  '{"action":"read","success":false}',
  '{"action":"read","success":null,"details":{"a":[1, 2.5, -0, 1e5],"b":{}}}',
  '{"action":"read","success":0}',
  '{"action":"read","success":true,"text":"Zo\\u00eb \u00e9\u{1f600} \\"q\\" \\\\ \\/ \\b\\f\\n\\r\\t\\u0001\u007f"}',
  '{"action":"login"}',
  '{ "actor" : "x" , "list" : [ ] , "t" : true }',
];
/** As Python's handler sent them, recorded once. */
const RECORDED = [
  '<132>loki-audit: {"action":"delete","resource_type":"token","success":true,"n":1}',
  '<132>loki-audit: {"action":"read","success":false}',
  '<132>loki-audit: {"action":"read","success":null,"details":{"a":[1,2.5,-0,1e5],"b":{}}}',
  '<132>loki-audit: {"action":"read","success":0}',
  '<134>loki-audit: {"action":"read","success":true,"text":"Zo\\u00eb \\u00e9\\ud83d\\ude00 \\"q\\" \\\\ / \\b\\f\\n\\r\\t\\u0001\\u007f"}',
  '<132>loki-audit: {"action":"login"}',
  '<134>loki-audit: {"actor":"x","list":[],"t":true}',
];

describe("format: loki", () => {
  const sent = build({ format: "loki" }, batchOf(LINES)).map(String);
  test("is what the dashboard's forwarder sends", () => {
    expect(sent).toEqual(RECORDED);
  });
  const python = spawnSync("python3", ["--version"]).status === 0;
  test("is byte for byte what Python's SysLogHandler sends", (context) => {
    if (!python) context.skip("there is no python3 here");
    // Numbers aside, which Python rewrites and this agent leaves as they were written.
    const lines = LINES.map((line) => line.replace("1e5", "100000.0").replace("-0,", "0,"));
    const { stdout, stderr } = spawnSync("python3", ["-c", FORWARDER], {
      input: `${lines.join("\n")}\n`,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    const received = stdout
      .trim()
      .split("\n")
      .map((hex) => Buffer.from(hex, "hex").toString("latin1"));
    // The NUL is the frame's.
    expect(build({ format: "loki" }, batchOf(lines)).map((message) => `${message}\0`)).toEqual(received);
  });
});
