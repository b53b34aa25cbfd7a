import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { until } from "../../test/contract/lane.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { buildMessages, syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";

/**
 * The forwarder's own code: SysLogHandler with the severity it chooses, and json.dumps as it calls it. Number tokens travel through Python as
 * texts in a mark, so that they come out as they were written. It answers what arrived, in hex.
 */
const FORWARDER = `
import json, logging, logging.handlers, re, socket, sys
ACTIONS = ("delete", "kill", "stop", "login", "logout", "create_token", "revoke_token")
kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
receiver = socket.socket(socket.AF_INET, kind)
receiver.bind(("127.0.0.1", 0))
if kind == socket.SOCK_STREAM: receiver.listen()
handler = logging.handlers.SysLogHandler(address=receiver.getsockname(), facility=logging.handlers.SysLogHandler.LOG_LOCAL0, socktype=kind)
if kind == socket.SOCK_STREAM: receiver = receiver.accept()[0]
receiver.settimeout(10)
logger = logging.getLogger("loki"); logger.setLevel(logging.INFO); logger.addHandler(handler)
mark = lambda token: "\\ue000" + token
for line in sys.stdin.buffer:
    entry = json.loads(line)
    success = entry.get("success", True)
    security = entry.get("action") in ACTIONS or success is False or success is None or (type(success) in (int, float) and success == 0)
    text = json.dumps(json.loads(line, parse_int=mark, parse_float=mark, parse_constant=mark), separators=(",", ":"))
    text = re.sub(r'"\\\\ue000([^"]*)"', r"\\1", text)
    logger.log(logging.WARNING if security else logging.INFO, "loki-audit: " + text)
    print(receiver.recv(65535).hex())
`;

function forwarded(lines: readonly string[], protocol = "udp"): string[] {
  const { stdout, stderr } = spawnSync("python3", ["-c", FORWARDER, protocol], {
    input: `${lines.join("\n")}\n`,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  expect(stderr).toBe("");
  return stdout
    .trim()
    .split("\n")
    .map((hex) => Buffer.from(hex, "hex").toString("latin1"));
}

/** With the NUL, which is the frame's. */
const ours = (lines: readonly string[]) =>
  buildMessages({ format: "loki" }, batchOf(lines)).map((message) => `${(message as Buffer).toString("latin1")}\0`);

const CASES: [line: string, sent: string][] = [
  [
    '{"action": "delete", "resource_type": "token", "success": true, "n": 1}',
    '<132>loki-audit: {"action":"delete","resource_type":"token","success":true,"n":1}',
  ],
  ['{"action":"read","success":false}', '<132>loki-audit: {"action":"read","success":false}'],
  [
    '{"action":"read","success":null,"details":{"a":[1, 2.5, -0, 1e5, 1.0, 12345678901234567890],"b":{}}}',
    '<132>loki-audit: {"action":"read","success":null,"details":{"a":[1,2.5,-0,1e5,1.0,12345678901234567890],"b":{}}}',
  ],
  ...["0", "-0", "0.0", "-0.0", "0e5", "0E-7", "1e-400", `0.${"0".repeat(400)}1`].map((zero): [string, string] => [
    `{"success":${zero}}`,
    `<132>loki-audit: {"success":${zero}}`,
  ]),
  ...['""', '"false"', '"0"', "[]", "{}", "1", "true", "NaN", "-Infinity", `0.${"0".repeat(40)}1`].map(
    (other): [string, string] => [`{"success":${other}}`, `<134>loki-audit: {"success":${other}}`],
  ),
  ['{"action":"Login"}', '<134>loki-audit: {"action":"Login"}'],
  ['{"action":"log\\u0069n"}', '<132>loki-audit: {"action":"login"}'],
  ['{"details":{"action":"login","success":false}}', '<134>loki-audit: {"details":{"action":"login","success":false}}'],
  [
    '{"action":"read","success":true,"text":"Zo\\u00eb \u00e9\u{1f600} \\"q\\" \\\\ \\/ \\b\\f\\n\\r\\t\\u0001\u007f"}',
    '<134>loki-audit: {"action":"read","success":true,"text":"Zo\\u00eb \\u00e9\\ud83d\\ude00 \\"q\\" \\\\ / \\b\\f\\n\\r\\t\\u0001\\u007f"}',
  ],
  ['{"lone":"\\ud800 \\udc00\\ud83d"}', '<134>loki-audit: {"lone":"\\ud800 \\udc00\\ud83d"}'],
  // As a dict has it: the first place, the last value.
  [
    '{"action":"login","n":1,"a\\u0063tion":"read","d":{"x":1,"y":2,"x":[{"z":1,"z":{}}]}}',
    '<134>loki-audit: {"action":"read","n":1,"d":{"x":[{"z":{}}],"y":2}}',
  ],
  ['{ "actor" : "x" , "list" : [ ] , "t" : true }', '<134>loki-audit: {"actor":"x","list":[],"t":true}'],
];

describe("format: loki", () => {
  test("is what the dashboard's forwarder sends", () => {
    expect(ours(CASES.map(([line]) => line))).toEqual(CASES.map(([, sent]) => `${sent}\0`));
  });

  test("what is nested deep is no trouble", () => {
    const deep = `{"a":${"[".repeat(20_000)}{"k":1,"k":2}${"]".repeat(20_000)}}`;
    expect(ours([deep])).toEqual([`<134>loki-audit: ${deep.replace('"k":1,', "")}\0`]);
  });

  const python = spawnSync("python3", ["--version"]).status === 0;
  const skipped = "there is no python3 here";
  test("is byte for byte what Python's SysLogHandler sends", (context) => {
    if (!python) context.skip(skipped);
    expect(forwarded(CASES.map(([line]) => line))).toEqual(CASES.map(([, sent]) => `${sent}\0`));
  });

  test.each(["udp", "tcp"] as const)("on the wire, with framing of nobody else's (%s)", async (protocol) => {
    const fake = await FakeSyslog.start({ protocol, framing: "nul" });
    const out = await syslogOutput({ format: "loki", protocol, port: fake.port });
    try {
      const lines = CASES.map(([line]) => line);
      expect(await writeLines(out, lines)).toEqual({});
      await until("all to arrive", () => fake.messages.length === lines.length);
      // Of a stream the fake takes the NULs out; a datagram is what it is.
      const end = protocol === "udp" ? "" : "\0";
      const received = fake.messages.map((message) => `${message.toString("latin1")}${end}`);
      expect(received).toEqual(CASES.map(([, sent]) => `${sent}\0`));
      if (python) expect(received).toEqual(forwarded(lines, protocol));
    } finally {
      await out.close();
      await fake.stop();
    }
  });

  test("whatever the entry", (context) => {
    if (!python) context.skip(skipped);
    const seed = Date.now() % 2 ** 31;
    const lines = fc.sample(entry, { numRuns: 1_000, seed });
    expect(ours(lines), `seed ${seed}`).toEqual(forwarded(lines));
  });
});

const space = fc.constantFrom("", "", " ", "\t", "\r", "  ");
const number = fc.oneof(
  fc.constantFrom(
    "0",
    "-0",
    "0.0",
    "-0.0e3",
    "1.10",
    "1E+2",
    "1e-400",
    "1e400",
    "123456789012345678901234567890",
    "NaN",
  ),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt().map(String),
);
/** Some characters written as escapes, in either case; lone surrogates among them. */
const string = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 3 }).map((text) => JSON.stringify(text.toWellFormed()).slice(1, -1)),
      fc.nat(0xffff).map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`),
      fc.nat(0xffff).map((unit) => `\\u${unit.toString(16).padStart(4, "0").toUpperCase()}`),
      fc.constantFrom("\\/", "\\b", "\u007f", "\u2028", "\\ud83d\\ude00", "\\ude00", "é"),
    ),
    { maxLength: 5 },
  )
  .map((parts) => `"${parts.join("")}"`)
  // The mark of the forwarder's numbers.
  .filter((text) => !/^"(?:\ue000|\\ue000)/i.test(text));
const key = fc.oneof(
  fc.constantFrom('"a"', '"\\u0061"', '"b"', '"é"', '"\\u00e9"', '"action"', '"success"', '"s\\u0075ccess"'),
  string,
);
const { value } = fc.letrec<{ value: string; object: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom("true", "false", "null", '"login"', '"delete"', '""'),
    number,
    string,
    fc
      .tuple(space, fc.array(tie("value"), { maxLength: 4 }))
      .map(([s, items]) => `[${s}${items.join(`${s},${s}`)}${s}]`),
    tie("object"),
  ),
  object: fc
    .tuple(space, fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }))
    .map(([s, members]) => `{${s}${members.map(([k, v]) => `${k}${s}:${s}${v}`).join(`${s},${s}`)}${s}}`),
}));
const entry = fc
  .array(fc.tuple(key, value), { maxLength: 6 })
  .map((members) => `{${members.map(([k, v]) => `${k}: ${v}`).join(", ")}}`);
