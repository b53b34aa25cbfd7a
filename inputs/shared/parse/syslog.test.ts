import { describe, expect, test } from "vitest";
import { checkFramer, run, sha256, soup } from "./harness.ts";

function parse(line: string | Buffer): string[] {
  const source = Buffer.concat([Buffer.from(line as string), Buffer.from("\n")]);
  const { records } = run({ parser: "syslog", maxLineBytes: 1000 }, source);
  return records.map((r) => Buffer.from(r.text, "latin1").toString());
}
const made = (line: string | Buffer) => parse(line).map((text) => JSON.parse(text));

describe("syslog", () => {
  const old = { time: "Feb 12 18:30:00", host: "web-1" };
  const iso = "2026-02-12T18:30:00.123456+01:00";
  test.each<[string, string, object]>([
    [
      "rsyslog's file format",
      "Feb 12 18:30:00 web-1 app[123]: a message",
      { ...old, ident: "app", pid: "123", message: "a message" },
    ],
    [
      "a day of one digit",
      "Feb  2 18:30:00 web-1 app: m",
      { time: "Feb  2 18:30:00", host: "web-1", ident: "app", message: "m" },
    ],
    [
      "a time with a zone",
      `${iso} web-1 app[1]: m`,
      { time: iso, host: "web-1", ident: "app", pid: "1", message: "m" },
    ],
    [
      "a priority",
      "<34>Feb 12 18:30:00 web-1 su: m",
      { ...old, ident: "su", priority: 34, facility: "auth", level: "crit", message: "m" },
    ],
    [
      "the highest priority",
      "<191>Feb 12 18:30:00 web-1 su: m",
      { ...old, ident: "su", priority: 191, facility: "local7", level: "debug", message: "m" },
    ],
    [
      "no host",
      "<13>Feb 12 18:30:00 app[7]: m",
      { time: old.time, ident: "app", pid: "7", priority: 13, facility: "user", level: "notice", message: "m" },
    ],
    [
      "no name",
      "Feb 12 18:30:00 web-1 last message repeated 2 times",
      { ...old, message: "last message repeated 2 times" },
    ],
    ["an IPv6 host", "Feb 12 18:30:00 fe80::1 app: m", { ...old, host: "fe80::1", ident: "app", message: "m" }],
    ["a URL is no name", "Feb 12 18:30:00 web-1 http://x y", { ...old, message: "http://x y" }],
    ["no text", "Feb 12 18:30:00 web-1 app:", { ...old, ident: "app", message: "" }],
    ["kernel", "Feb 12 18:30:00 web-1 kernel: [  1.5] up", { ...old, ident: "kernel", message: "[  1.5] up" }],
    [
      "RFC 5424",
      `<165>1 ${iso} web-1 app 77 ID47 [a@1 x="1\\]\\"" y="ü"][b@1] a message`,
      {
        time: iso,
        host: "web-1",
        ident: "app",
        pid: "77",
        msgid: "ID47",
        priority: 165,
        facility: "local4",
        level: "notice",
        structured_data: '[a@1 x="1\\]\\"" y="ü"][b@1]',
        message: "a message",
      },
    ],
    ["RFC 5424, all absent", "<0>1 - - - - - -", { priority: 0, facility: "kern", level: "emerg", message: "" }],
    [
      "RFC 5424 without a priority",
      `1 ${iso} web-1 app - - - \ufeffhé`,
      { time: iso, host: "web-1", ident: "app", message: "hé" },
    ],
    ["a body that only looks like JSON", "Feb 12 18:30:00 web-1 app: {a}", { ...old, ident: "app", message: "{a}" }],
    ["JSON that is no object", "Feb 12 18:30:00 web-1 app: [1]", { ...old, ident: "app", message: "[1]" }],
  ])("%s", (_, line, expected) => expect(made(line)).toEqual([expected]));

  test.each([
    ["behind a name", 'Feb 12 18:30:00 web-1 app[1]: {"a": 1.0, "b": NaN}', '{"a": 1.0, "b": NaN}'],
    ["at once", 'Feb 12 18:30:00 web-1 app:{"a":1}', '{"a":1}'],
    ["without a name", 'Feb 12 18:30:00 web-1 {"a": 1}', '{"a": 1}'],
    ["without name and host", 'Feb 12 18:30:00 {"a": 1}', '{"a": 1}'],
    ["behind a cookie", 'Feb 12 18:30:00 web-1 app: @cee: {"a": "é"}', '{"a": "é"}'],
    ["in RFC 5424", '<14>1 - h a - - [x y="{"] {"a":{}}', '{"a":{}}'],
    ["in RFC 5424 behind a mark", '<14>1 - h a - - - \ufeff{"a":1}', '{"a":1}'],
  ])("a JSON object is the record, untouched: %s", (_, line, body) => expect(parse(line)).toEqual([body]));

  test.each([
    "no header",
    "<192>Feb 12 18:30:00 h a: m",
    "<1>",
    "<9999>1 - - - - - -",
    '{"a":1}',
    "Feb 12 18:30",
    '<14>1 - h a - - [x y="] m',
    "<14>1 - h a - - x m",
  ])("another form passes whole: %s", (line) => expect(parse(line)).toEqual([line]));

  test("text that is no UTF-8 keeps its bytes", () => {
    const text = Buffer.from([0x61, 0xff, 0x62]);
    const line = Buffer.concat([Buffer.from("Feb 12 18:30:00 web-1 app: "), text]);
    expect(made(line)).toEqual([
      { ...old, ident: "app", message: "a\ufffdb", message_base64: text.toString("base64") },
    ]);
  });

  test("a line above the limit is cut as it is", () => {
    const line = `Feb 12 18:30:00 web-1 app: ${"x".repeat(1000)}`;
    const { records } = run({ parser: "syslog", maxLineBytes: 1000 }, Buffer.from(`${line}\n`));
    expect(records).toEqual([
      { offset: 0, text: line.slice(0, 1000), flags: 2, cut: { length: line.length, sha256: sha256(line) } },
    ]);
  });

  test("hostile headers take linear time", () => {
    const lines = [
      `Feb 12 18:30:00 ${"a:".repeat(400_000)}`,
      `<14>1 - ${"[".repeat(800_000)}`,
      `<14>1 - h a - - [${'\\"'.repeat(400_000)}`,
    ];
    for (const line of lines) {
      const { records } = run({ parser: "syslog", maxLineBytes: 1 << 20 }, Buffer.from(`${line}\n`));
      expect(records.length).toBe(1);
    }
  });

  const pieces = [
    "Feb 12 18:30:00 h app[1]: ",
    "<14>1 - h a - - - ",
    '{"a":1}',
    "text",
    "é",
    "\n",
    "\n",
    "\r\n",
    "x".repeat(40),
  ];
  test("any chunking, any restart", () => checkFramer({ parser: "syslog" }, soup(...pieces), 1000));
});
