import { describe, expect, test } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import { batchOf } from "../../test/contract/records.ts";
import { buildMessages } from "../../test/fakes/syslog-output.ts";
import { checkOptions, type SyslogOptions, serversOf, syslogOptions } from "./options.ts";

const text = (options: Record<string, unknown>, line: string) =>
  String(buildMessages(options, batchOf([line], { offset: 0 }))[0]);

const ENTRY =
  '{"timestamp":"2026-02-01T09:00:17.123456789+01:30","event":"auth.login","level":"info","pid":42,"actor":"Zo\\u00eb","note":"a\\"b]c\\\\","chain_hash":"ab12"}';

test("RFC 5424: every field from the entry, parameters escaped, the body its own bytes", () => {
  const options = { structured_data: ["tag", "record_id", "chain_hash", "note", "absent"], app_name: "dash" };
  expect(text(options, ENTRY)).toBe(
    '<134>1 2026-02-01T09:00:17.123456+01:30 node-1 dash 42 auth.login [audit@32473 tag="audit.test" ' +
      `record_id="AAAAAAAAAAAAAAAAAAAAAA-0" chain_hash="ab12" note="a\\"b\\]c\\\\"] ${ENTRY}`,
  );
});

test.each([
  ['{"level":"error"}', {}, "<131>1 2026-02-01T00:00:00.000Z node-1 audit-agent - - - "],
  ['{"action":"delete"}', {}, "<132>1 2026-02-01T00:00:00.000Z node-1 audit-agent - delete - "],
  ['{"time":"2026-02-01T10:00:00Z"}', { facility: "auth", severity: "debug" }, "<39>1 2026-02-01T10:00:00.000Z "],
  ["no JSON", { hostname: "h" }, "<134>1 2026-02-01T00:00:00.000Z h audit-agent - - - "],
  ['{"event":"a b\\u2028c"}', { app_name: "x" }, "<134>1 2026-02-01T00:00:00.000Z node-1 x - a_b_c - "],
])("%s with %j", (line, options, begins) => {
  expect(text({ structured_data: [], ...options }, line).slice(0, begins.length)).toBe(begins);
});

test.each([
  // Syslog's own words and numbers are finer than four levels.
  ...["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"].flatMap((word, severity) => [
    [`"level":"${word.toUpperCase()}"`, severity],
    [`"severity":${severity}`, severity],
  ]),
  ...[
    ["fatal", 2],
    ["critical", 2],
    ["panic", 0],
    ["severe", 3],
    ["error", 3],
    ["trace", 7],
  ].map(([word, severity]) => [`"level":"${word}","action":"delete"`, severity]),
  ['"level":60', 2],
  ['"level":50', 3],
  ['"level":"loud","severity":"alert"', 1],
  ['"level":"loud"', 6],
  // Without one, the rule for security actions.
  ...["delete", "kill", "stop", "login", "logout", "create_token", "revoke_token"].map((action) => [
    `"action":"${action}"`,
    4,
  ]),
  ...["false", "null", "0", "0.0"].map((success) => [`"action":"read","success":${success}`, 4]),
  ...["true", "1", '""'].map((success) => [`"action":"read","success":${success}`, 6]),
  ['"event":"build.fail","success":null', 3],
] as [string, number][])("severity of {%s} is %d", (members, severity) => {
  expect(text({}, `{${members}}`)).toMatch(new RegExp(`^<${16 * 8 + severity}>1 `));
});

test.each([
  ["2026-02-01T09:00:17.123456789Z", "2026-02-01T09:00:17.123456Z"],
  ["2026-02-01T09:00:17.1-11:30", "2026-02-01T09:00:17.100-11:30"],
  ["2026-02-01T09:00:17.0000009+00:00", "2026-02-01T09:00:17.000Z"],
  // Never a second 60.
  ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
  ["1969-07-20T20:17:40Z", "1969-07-20T20:17:40.000Z"],
  // A year has four digits, also where the entry is written.
  ["9999-12-31T23:59:59.999999-01:00", "9999-12-31T23:59:59.999999-01:00"],
  ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
  ["0000-01-01T00:00:00+01:00", "0000-01-01T00:00:00.000+01:00"],
  // Of no zone, and no time at all: when it was read.
  ["2026-02-01T09:00:17", "2026-02-01T00:00:00.000Z"],
  ["yesterday", "2026-02-01T00:00:00.000Z"],
])("the time %s is sent as %s", (time, sent) => {
  expect(text({}, `{"timestamp":"${time}"}`).split(" ")[1]).toBe(sent);
});

test("RFC 3164: the host's local time, host and tag", () => {
  const at = new Date(Date.UTC(2026, 1, 1, 8, 0, 17));
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
  const day = `Feb ${String(at.getDate()).padStart(2, " ")}`;
  const line = '{"timestamp":"2026-02-01T08:00:17Z"}';
  expect(text({ format: "rfc3164", app_name: "a/b" }, line)).toBe(`<134>${day} ${clock} node-1 a_b: ${line}`);
  expect(text({ format: "rfc3164", app_name: "a" }, '{"pid":42}')).toMatch(/ node-1 a\[42\]: \{"pid":42\}$/);
  expect(text({ format: "rfc3164", app_name: "a" }, '{"pid":"x]: <0>y"}')).toMatch(/ node-1 a\[x____0_y\]: \{/);
});

test("an input's facility and severity come first", () => {
  const batch = batchOf(['{"level":"error"}']);
  const source = { ...batch.source, facility: "authpriv", severity: "notice" };
  const [message] = buildMessages(
    { facility: "local7" },
    Object.assign(Object.create(batch), { source, scanned: undefined }),
  );
  expect(String(message)).toMatch(/^<85>1 /);
});

test("templates take fields as text, and never a line break", () => {
  const options = { message: "template", template: "{event}: {actor} did {details} [{absent}]", structured_data: [] };
  const line = '{"event":"a\\nb","actor":"Zo\\u00eb","details":{"n":1}}';
  expect(text(options, line)).toMatch(/ - a b: Zoë did {"n":1} \[\]$/);
  expect(text(options, "no JSON, but not to be lost")).toContain('{"message":"no JSON, but not to be lost"');
});

describe("what the body is", () => {
  const body = (options: Record<string, unknown>, line: string | Buffer) => {
    const [message] = buildMessages({ structured_data: [], ...options }, batchOf([line]));
    return (message as Buffer).subarray(String(message).indexOf(" - - - ") + 7);
  };
  test("json: compact, whatever its writer's taste; strings and numbers as they were", () => {
    const line = '{ "a b" : [ 1.0 , -0 ],\r\n\t"c" :"d , e : \\u00e9 \\" }" , "f":{ } }';
    const sent = '{"a b":[1.0,-0],"c":"d , e : \\u00e9 \\" }","f":{}}';
    expect(String(body({}, line))).toBe(sent);
    expect(String(body({}, sent))).toBe(sent);
    expect(String(body({}, '{"n": NaN}'))).toBe('{"n":null}');
    expect(String(body({}, "not { json"))).toMatch(/^\{"message":"not \{ json","parse_error":/);
  });
  test.each<[string, string | Buffer]>([
    ["space and NaN", '{ "n": NaN, "x": 1.0 }'],
    ["several lines", '{\r\n  "n": 1\n}'],
    ["bytes that are no text", Buffer.from([0xff, 0x00, 0x80, 0x0a, 0x0d, 0x7f, 0xc3])],
    ["nothing", ""],
  ])("original: its bytes, where the frame can hold them (%s)", (_, line) => {
    const bytes = Buffer.from(line as string);
    for (const options of [{}, { protocol: "tcp" }, { protocol: "relp" }, { protocol: "udp", framing: "newline" }])
      expect(body({ message: "original", ...options }, bytes)).toEqual(bytes);
    const blank = Buffer.from(bytes.map((byte) => (byte === 0x0a ? 0x20 : byte)));
    expect(body({ message: "original", protocol: "tcp", framing: "newline" }, bytes)).toEqual(blank);
  });
});

test("where newlines tell messages apart, nobody's line break makes another message", () => {
  const forged = "x\n<8>1 - root su - - - root was here\n";
  const line = JSON.stringify({ event: forged, pid: forged, note: forged });
  const options = { structured_data: ["note"], message: "template", template: "\n{note}" };
  for (const [message, format] of [
    ["json", "rfc5424"],
    ["template", "rfc5424"],
    ["template", "rfc3164"],
  ]) {
    const own = message === "template" ? options : { structured_data: ["note"] };
    const sent = text({ protocol: "tls", framing: "newline", ...own, message, format }, line);
    expect(sent).not.toContain("\n");
    expect(sent.split("root was here").length).toBeGreaterThan(1);
  }
  // With lengths a parameter is what it is.
  expect(text({ protocol: "tcp", structured_data: ["note"] }, line)).toContain(`note="${forged}"`);
});

describe("longer than allowed", () => {
  const line = `{"x":"${"é".repeat(1_000)}"}`;
  test("cut at the start of a character, with a mark", () => {
    const message = buildMessages({ max_message_size: "480", structured_data: [] }, batchOf([line]))[0] as Buffer;
    expect(message.length).toBeGreaterThan(476);
    expect(message.length).toBeLessThanOrEqual(480);
    expect(message.toString()).toMatch(/é \[cut\]$/);
    expect(message.toString()).not.toContain("\ufffd");
  });
  const cut = (options: Record<string, unknown>, line: string | Buffer) => {
    const [message] = buildMessages({ max_message_size: "480", ...options }, batchOf([line], { offset: 0 }));
    return message as Buffer;
  };
  test("never inside the structured data: parameters that have no room are left out", () => {
    const entry = JSON.stringify({ big: "]é".repeat(400), small: "s]", x: "y".repeat(500) });
    for (let length = 0; length < 500; length++) {
      const message = cut({ structured_data: ["big", "small"], app_name: "a".repeat(48), sd_id: "x@1" }, entry);
      expect([478, 479, 480]).toContain(message.length);
      expect(String(message)).toMatch(/ \[x@1 small="s\\\]"\] \{"big".*\[cut\]$/);
      const fits = cut(
        { structured_data: ["pad", "small"] },
        JSON.stringify({ pad: "p".repeat(length), small: "s", x: entry }),
      );
      expect(fits.length).toBeLessThanOrEqual(480);
      const pad = `pad="p{${length}}"`;
      expect(String(fits)).toMatch(
        new RegExp(` \\[audit@32473 (?:(?:${pad} )?small="s"|${pad})\\] (?:\\{.*)? ?\\[cut\\]$`),
      );
    }
    expect(String(cut({ structured_data: ["big"] }, entry))).toMatch(/ - - - \{"big"/);
  });
  test.each(["udp", "tcp"])("nothing follows what is short enough without such a parameter: %s", (protocol) => {
    const big = `${"x".repeat(300)}\n<0>Feb  1 10:00:00 host root was here${"x".repeat(300)}`;
    const options = { protocol, structured_data: ["small", "big"], message: "template", template: "short" };
    const message = cut(options, JSON.stringify({ big, small: "s" }));
    expect(String(message)).toMatch(/ - - \[audit@32473 small="s"\] short \[cut\]$/);
  });
  test("of what is no text all that has room is sent", () => {
    const message = cut({ message: "original" }, Buffer.alloc(2_000, 0x80));
    expect(message.length).toBeGreaterThan(476);
  });
  test("a header without room for a body is a dead letter", () => {
    const reason = cut(
      { hostname: "h".repeat(255), app_name: "a".repeat(48) },
      JSON.stringify({ pid: "9".repeat(128), event: "e".repeat(99) }),
    );
    expect(String(reason)).toMatch(/its header alone is longer$/);
  });
  test("and said, once", () => {
    const said: AgentEvent[] = [];
    buildMessages({ max_message_size: "480" }, batchOf([line, line, "{}"]), (event) => said.push(event));
    expect(said).toEqual([
      expect.objectContaining({ level: "warn", message: expect.stringContaining("more than 480 bytes are cut") }),
    ]);
  });
  test("or a dead letter", () => {
    const [reason] = buildMessages({ max_message_size: "480", too_long: "dead_letter" }, batchOf([line]));
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
  expect(check({ sd_id: "audit" }).warnings.map(({ path }) => path)).toContainEqual(["sd_id"]);
  for (const sd_id of ["", "é@1", "a b@1", "a\u0000@1", 'a"@1', "a]@1", "a=@1", "a".repeat(33)])
    expect(syslogOptions.safeParse({ host: "h", sd_id }).success, sd_id).toBe(false);
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
