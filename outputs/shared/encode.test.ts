import { isUtf8 } from "node:buffer";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Addition, type Cut, RecordBatch, RecordFlag } from "../../agent/api/batch.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { Encoder } from "./encode.ts";
import { ByteWriter } from "./writer.ts";

const source = { id: "s".repeat(22), input: "in", group: "g" };

function batchOf(
  records: readonly (string | Buffer)[],
  more: { additions?: Addition[]; flags?: Uint8Array; cuts?: Map<number, Cut>; altered?: boolean } = {},
): RecordBatch {
  const parts = records.map((r) => Buffer.from(r as string));
  const starts = new Uint32Array(parts.length);
  const ends = new Uint32Array(parts.length);
  let at = 0;
  parts.forEach((part, i) => {
    starts[i] = at;
    ends[i] = at + part.length;
    at += part.length + 1;
  });
  const buffer = Buffer.concat(parts.flatMap((part) => [part, Buffer.from("\n")]));
  const offsets = Float64Array.from(starts);
  return new RecordBatch({
    buffer,
    starts,
    ends,
    offsets,
    count: parts.length,
    tag: "t",
    source,
    readTime: 0,
    ...more,
  });
}

function add(path: string, value: unknown): Addition {
  return { path: path.split(".") as [string], json: Buffer.from(JSON.stringify(value)) };
}

interface Settings {
  format?: "json" | "original";
  nonFinite?: "null" | "keep";
  fields?: string[];
  extra?: Buffer;
}

function encodeAll(
  batch: RecordBatch,
  settings: Settings = {},
): { lines: string[]; bytes: Buffer[]; events: AgentEvent[] } {
  const events: AgentEvent[] = [];
  const encoder = new Encoder({
    fields: new Scanner(settings.fields ?? ["metadata"]),
    format: settings.format ?? "json",
    nonFinite: settings.nonFinite ?? "null",
    emit: (event) => void events.push(event),
    alias: "out",
  });
  const before = Buffer.from(batch.buffer);
  const bytes = Array.from({ length: batch.count }, (_, i) => {
    const writer = new ByteWriter(16);
    encoder.encode(batch, i, writer, settings.extra);
    return writer.take();
  });
  encoder.report();
  expect(batch.buffer.equals(before)).toBe(true);
  for (const line of bytes) expect(line.indexOf(10)).toBe(-1);
  return { lines: bytes.map((b) => b.toString("utf8")), bytes, events };
}

const one = (record: string | Buffer, additions: Addition[], settings?: Settings) =>
  encodeAll(batchOf([record], { additions }), settings).lines[0];

describe("format json", () => {
  const additions = [add("metadata.env", "prod"), add("metadata.n", 1)];

  it.each([
    ["an absent key is appended", '{"a":1.0}', '{"a":1.0,"metadata":{"env":"prod","n":1}}'],
    ["an empty object", "{}", '{"metadata":{"env":"prod","n":1}}'],
    ["an empty object with space", " { \t} ", ' { \t"metadata":{"env":"prod","n":1}}'],
    ["trailing white space", '{"a":[{}]} \r', '{"a":[{}],"metadata":{"env":"prod","n":1}}'],
    ["null becomes the object", '{"metadata":null,"b":2}', '{"metadata":{"env":"prod","n":1},"b":2}'],
    ["an object is spliced into", '{"metadata":{"x":{}},"b":2}', '{"metadata":{"x":{},"env":"prod","n":1},"b":2}'],
    ["an empty object inside", '{"metadata":{ },"b":2}', '{"metadata":{ "env":"prod","n":1},"b":2}'],
    ["own members win", '{"metadata":{"env":"dev"}}', '{"metadata":{"env":"dev","n":1}}'],
    ["own members win, escaped", '{"metadata":{"\\u0065nv":0}}', '{"metadata":{"\\u0065nv":0,"n":1}}'],
    ["the key itself escaped", '{"m\\u0065tadata":{}}', '{"m\\u0065tadata":{"env":"prod","n":1}}'],
    ["nothing left to add", '{"metadata":{"n":2,"env":1}}', '{"metadata":{"n":2,"env":1}}'],
    ["a string stays", '{"metadata":"x}"}', '{"metadata":"x}","agent_metadata":{"env":"prod","n":1}}'],
    ["an array stays", '{"metadata":[]}', '{"metadata":[],"agent_metadata":{"env":"prod","n":1}}'],
    [
      "agent_metadata is an object",
      '{"agent_metadata":{"n":0},"metadata":1}',
      '{"agent_metadata":{"n":0,"env":"prod"},"metadata":1}',
    ],
    [
      "agent_metadata is null",
      '{"agent_metadata":null,"metadata":1}',
      '{"agent_metadata":{"env":"prod","n":1},"metadata":1}',
    ],
    ["agent_metadata is taken", '{"agent_metadata":7,"metadata":1}', '{"agent_metadata":7,"metadata":1}'],
    [
      "of duplicates the last counts",
      '{"metadata":1,"metadata":{"a":1},"z":0}',
      '{"metadata":1,"metadata":{"a":1,"env":"prod","n":1},"z":0}',
    ],
    [
      "a nested key of that name is none of ours",
      '{"a":{"metadata":1}}',
      '{"a":{"metadata":1},"metadata":{"env":"prod","n":1}}',
    ],
  ])("%s", (_, record, expected) => {
    expect(one(record, additions)).toBe(expected);
    // The same where no plugin named the field, so that the object is walked.
    expect(one(record, additions, { fields: [] })).toBe(expected);
  });

  it("puts a member with a path of one name beside the others, and the entry's own wins", () => {
    expect(one('{"a":1}', [add("seen", [1])])).toBe('{"a":1,"seen":[1]}');
    expect(one('{"seen":null}', [add("seen", 1)])).toBe('{"seen":null}');
    expect(one("{}", [add("m", { a: 1 }), add("m.a", 2), add("m.b", 3), add("m.b", 4)])).toBe('{"m":{"a":1,"b":3}}');
    expect(one("{}", [add("m", "x"), add("m.a", 2)])).toBe('{"m":"x","agent_m":{"a":2}}');
    expect(one("{}", [add("m", null), add("m.a", 2)])).toBe('{"m":{"a":2}}');
    expect(one('{"metadata":1}', [add("agent_metadata.env", 1), ...additions])).toBe(
      '{"metadata":1,"agent_metadata":{"env":1,"n":1}}',
    );
  });

  it("appends extra members", () => {
    const extra = Buffer.from('"@timestamp":"t"');
    expect(one("{}", [], { extra })).toBe('{"@timestamp":"t"}');
    expect(one('{"a":1}', [], { extra })).toBe('{"a":1,"@timestamp":"t"}');
    expect(one('{"metadata":{}}', additions, { extra })).toBe('{"metadata":{"env":"prod","n":1},"@timestamp":"t"}');
    expect(one("garbage", [], { extra })).toContain(',"@timestamp":"t"}');
  });

  it("counts what moved and what had no place, once per write", () => {
    const batch = batchOf(['{"metadata":1}', '{"metadata":1,"agent_metadata":2}', "{}"], { additions });
    expect(encodeAll(batch).events).toEqual([{ is: "addition_moved", output: "out", records: 2, dropped: 1 }]);
  });

  it("makes spaces of line breaks between tokens", () => {
    expect(one('{\n  "a": "x\\n",\r\n  "metadata": {\n}\n}', additions)).toBe(
      '{   "a": "x\\n",    "metadata": { "env":"prod","n":1} }',
    );
  });

  it("finds line breaks in any order of asking", () => {
    const batch = batchOf(['{"a":\n1}', '{"b":2}', '{"c":\n3}']);
    const encoder = new Encoder({
      fields: new Scanner([]),
      format: "json",
      nonFinite: "null",
      emit: () => {},
      alias: "",
    });
    for (const [i, expected] of [
      [1, '{"b":2}'],
      [0, '{"a": 1}'],
      [2, '{"c": 3}'],
      [0, '{"a": 1}'],
    ] as const) {
      const writer = new ByteWriter();
      encoder.encode(batch, i, writer);
      expect(writer.view().toString()).toBe(expected);
    }
  });

  it("writes null for what is no JSON number, on request", () => {
    const record = '{"a":NaN,"b":[-Infinity,Infinity,"NaN \\" -Infinity"],"metadata":{"x":-Infinity}}';
    expect(one(record, additions)).toBe(
      '{"a":null,"b":[null,null,"NaN \\" -Infinity"],"metadata":{"x":null,"env":"prod","n":1}}',
    );
    expect(one(record, [], { nonFinite: "keep" })).toBe(record);
  });
});

describe("what is no JSON object", () => {
  it("is wrapped, with the reason and the additions", () => {
    const line = JSON.parse(one('hello "x"\t', [add("metadata.a", 1), add("message", 1)])!);
    expect(line).toEqual({ message: 'hello "x"\t', parse_error: expect.any(String), metadata: { a: 1 } });
    for (const record of ["[1]", '"x"', "", " ", '{"a":1', '{"a":1}x', "{'a':1}", "null"]) {
      const { message, parse_error } = JSON.parse(one(record, [])!);
      expect({ record, message, parse_error }).toEqual({ record, message: record, parse_error: expect.any(String) });
    }
  });

  it("keeps the bytes of what is not UTF-8", () => {
    const bytes = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]);
    const line = JSON.parse(one(bytes, [])!);
    expect(line.message).toBe('{"\ufffd":1}');
    expect(Buffer.from(line.message_base64, "base64").equals(bytes)).toBe(true);
    expect(line.parse_error).toMatch(/UTF-8/);
  });

  it("is a message without a parse error where the input meant plain lines", () => {
    const batch = batchOf(["plain", '{"a":1}', Buffer.from([0xff])], {
      flags: new Uint8Array(3).fill(RecordFlag.plain),
    });
    const { lines } = encodeAll(batch);
    expect(lines).toEqual([
      '{"message":"plain"}',
      '{"message":"{\\"a\\":1}"}',
      '{"message":"\ufffd","message_base64":"/w=="}',
    ]);
  });

  it("says what a cut line was", () => {
    const whole = `{"a":"${"é".repeat(50)}"}`;
    const sha256 = createHash("sha256").update(whole).digest("hex");
    const cut = Buffer.from(whole).subarray(0, 21);
    const cuts = new Map([[0, { length: whole.length, sha256 }]]);
    const batch = batchOf([cut], { flags: Uint8Array.of(RecordFlag.cut), cuts, additions: [add("metadata.a", 1)] });
    const expected = {
      message: `{"a":"${"é".repeat(7)}`,
      truncated: true,
      original_length: whole.length,
      original_sha256: sha256,
    };
    expect(JSON.parse(encodeAll(batch).lines[0]!)).toEqual({ ...expected, metadata: { a: 1 } });
    expect(JSON.parse(encodeAll(batch, { format: "original" }).lines[0]!)).toEqual(expected);
  });
});

describe("format original", () => {
  it("ships the exact bytes, without additions", () => {
    const records = ['{"a":1.0,  "a":NaN} ', "no json", Buffer.from([0xff, 0xfe]), "", '{"b":"\u2028"}\r'];
    const batch = batchOf(records, { additions: [add("metadata.a", 1)] });
    const { bytes } = encodeAll(batch, { format: "original", nonFinite: "keep" });
    records.forEach((record, i) => {
      expect(bytes[i]!.equals(Buffer.from(record as string))).toBe(true);
    });
  });

  it("makes spaces of line breaks, or records would fall apart", () => {
    expect(encodeAll(batchOf(['{"a":\r\n1}', "x\ny"]), { format: "original" }).lines).toEqual(['{"a":  1}', "x y"]);
  });

  it("says that altered records are no evidence", () => {
    const { events } = encodeAll(batchOf(["{}"], { altered: true }), { format: "original" });
    expect(events).toMatchObject([{ is: "notice", level: "warn" }]);
  });
});

describe("any entry, any additions", () => {
  const name = fc.oneof(
    fc.constantFrom("metadata", "agent_metadata", "a", "env", "", "é", '"', "__proto__"),
    fc.string(),
  );
  const scalar = fc.constantFrom(
    "1.0",
    "-0.0",
    "12345678901234567890",
    "1e400",
    '"x}\\""',
    "null",
    "true",
    "[{}]",
    "[]",
    '"\\u2028"',
  );
  const value: fc.Arbitrary<string> = fc.letrec((tie) => ({
    value: fc.oneof({ depthSize: "small" }, scalar, tie("object") as fc.Arbitrary<string>),
    object: fc
      .tuple(
        fc.uniqueArray(name, { maxLength: 4 }),
        fc.array(tie("value") as fc.Arbitrary<string>, { minLength: 4, maxLength: 4 }),
        fc.constantFrom("", " ", "\t"),
      )
      .map(([names, values, space]) =>
        objectText(
          names.map((n, i) => [n, values[i]!]),
          space,
        ),
      ),
  })).object as fc.Arbitrary<string>;
  const addition = fc
    .tuple(
      fc.constantFrom("metadata", "agent_metadata", "a", "é"),
      fc.option(name, { nil: undefined }),
      fc.oneof(scalar, value),
    )
    .map(([key, sub, json]): Addition => ({ path: sub === undefined ? [key] : [key, sub], json: Buffer.from(json) }));

  it("comes out as if merged member by member", () => {
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 4 }),
        fc.array(addition, { maxLength: 6 }),
        (entries, additions) => {
          const { lines } = encodeAll(batchOf(entries, { additions }), { fields: ["metadata", "a", "é"] });
          entries.forEach((entry, i) => {
            expect(members(lines[i]!)).toEqual(expectedMembers(entry, additions));
            const own = rawOf(entry).map(([n]) => n);
            expect(
              rawOf(lines[i]!)
                .map(([n]) => n)
                .slice(0, own.length),
            ).toEqual(own);
          });
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("any bytes", () => {
  const piece = fc.oneof(
    fc.constantFrom(
      '{"a":1}',
      '{"metadata":',
      "{}",
      "null",
      '"',
      "\\",
      "}",
      "{",
      ",",
      ":",
      "\n",
      "\r",
      " ",
      "NaN",
      "\u2028",
      "\\ud800",
    ),
    fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
    fc.string({ unit: "binary" }),
  );
  const record = fc
    .array(piece, { maxLength: 8 })
    .map((pieces) => Buffer.concat(pieces.map((p) => Buffer.from(p as string))));

  it("come out as one line of JSON that says what they were", () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(0, RecordFlag.plain, RecordFlag.cut),
        (records, flag) => {
          const additions = [add("metadata.env", "prod")];
          const cuts = new Map(records.map((r, i) => [i, { length: r.length + 5, sha256: "0".repeat(64) }]));
          const batch = batchOf(records, { additions, flags: new Uint8Array(records.length).fill(flag), cuts });
          const { bytes } = encodeAll(batch);
          records.forEach((bytesBefore, i) => {
            expect(isUtf8(bytes[i]!)).toBe(true);
            const parsed = JSON.parse(bytes[i]!.toString());
            if (flag === 0 && parsed.parse_error === undefined) return;
            if (flag === RecordFlag.cut)
              expect(parsed).toMatchObject({ truncated: true, original_length: bytesBefore.length + 5 });
            else if (isUtf8(bytesBefore)) expect(parsed.message).toBe(bytesBefore.toString());
            else expect(parsed.message_base64).toBe(bytesBefore.toString("base64"));
          });
        },
      ),
      { numRuns: 3_000 },
    );
  });
});

function objectText(entries: readonly (readonly [string, string])[], space: string): string {
  const inner = entries.map(([n, v]) => `${space}${JSON.stringify(n)}${space}:${space}${v}${space}`).join(",");
  return `{${inner}${space}}${space}`;
}

/** Members as a sorted list, at every level; throws on a duplicate. */
function members(text: string): [string, string][] {
  JSON.parse(text);
  const found = rawOf(text);
  expect(new Set(found.map(([n]) => n)).size).toBe(found.length);
  const canonical = found.map(([n, v]): [string, string] => [n, v.startsWith("{") ? JSON.stringify(members(v)) : v]);
  return canonical.sort(([x], [y]) => (x < y ? -1 : 1));
}

/** The rule, written down a second time, one addition kind after the other on maps of text. */
function expectedMembers(entry: string, additions: readonly Addition[]): [string, string][] {
  const rawMembers = (text: string) => new Map(rawOf(text));
  const top = rawMembers(entry);
  const keys = [...new Set(additions.map((a) => a.path[0]))];
  const moved = new Map<string, Map<string, string>>();
  const subs = (key: string) => {
    const all = new Map<string, string>();
    for (const a of additions)
      if (a.path[0] === key && a.path[1] !== undefined && !all.has(a.path[1])) all.set(a.path[1], a.json.toString());
    return all;
  };
  const before = new Map(top);
  for (const key of keys) {
    const whole = additions.find((a) => a.path[0] === key && a.path.length === 1)?.json.toString();
    const base = before.get(key) ?? whole;
    const extra = subs(key);
    if (extra.size > 0 && base !== undefined && base !== "null" && !base.trim().startsWith("{")) {
      moved.set(`agent_${key}`, extra);
      if (!top.has(key)) top.set(key, base);
    }
  }
  for (const key of new Set([...keys, ...moved.keys()])) {
    const whole = additions.find((a) => a.path[0] === key && a.path.length === 1)?.json.toString();
    const own = before.get(key);
    const base = own ?? whole;
    const extra = moved.has(`agent_${key}`) ? new Map<string, string>() : subs(key);
    for (const [n, v] of moved.get(key) ?? []) if (!extra.has(n)) extra.set(n, v);
    if (base !== undefined && base !== "null" && !base.trim().startsWith("{")) {
      if (!top.has(key)) top.set(key, base);
    } else if (extra.size === 0) {
      if (base !== undefined) top.set(key, base);
    } else {
      const inner = base === undefined || base === "null" ? new Map<string, string>() : rawMembers(base);
      for (const [n, v] of extra) if (!inner.has(n)) inner.set(n, v);
      top.set(key, objectText([...inner], ""));
    }
  }
  return members(objectText([...top], ""));
}

/** Top-level members in order, values as text: an independent reader, on characters. */
function rawOf(text: string): [string, string][] {
  const found: [string, string][] = [];
  let depth = 0;
  let from = text.indexOf("{") + 1;
  let colon = -1;
  for (let i = from - 1; i < text.length; i++) {
    const c = text[i];
    if (c === '"') {
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
    } else if (c === "{" || c === "[") depth++;
    else if (c === ":" && depth === 1) colon = i;
    else if ((c === "," && depth === 1) || ((c === "}" || c === "]") && --depth === 0)) {
      if (colon > 0) found.push([JSON.parse(text.slice(from, colon)), text.slice(colon + 1, i).trim()]);
      from = i + 1;
      colon = -1;
    }
  }
  return found;
}

describe("marks", () => {
  const flags = Uint8Array.of(0, RecordFlag.broken, RecordFlag.unverified, RecordFlag.broken | RecordFlag.plain);
  const records = ['{"a":1}', '{"b":2,"integrity":{"x":1}}', "oops", "plain"];

  it("stand in the records they are of, beside what else is added, and never in an original", () => {
    const batch = batchOf(records, { flags, additions: [add("metadata.env", "prod")] });
    expect(encodeAll(batch).lines.map((line) => JSON.parse(line))).toEqual([
      { a: 1, metadata: { env: "prod" } },
      { b: 2, integrity: { x: 1, chain: "broken" }, metadata: { env: "prod" } },
      {
        message: "oops",
        parse_error: expect.any(String),
        metadata: { env: "prod" },
        integrity: { chain: "unverified" },
      },
      { message: "plain", metadata: { env: "prod" }, integrity: { chain: "broken" } },
    ]);
    expect(encodeAll(batch, { format: "original" }).lines).toEqual(records);
  });

  it("win over an addition of the same name", () => {
    const batch = batchOf(['{"a":1}'], {
      flags: Uint8Array.of(RecordFlag.broken),
      additions: [add("integrity.chain", "mine"), add("integrity.by", "x")],
    });
    expect(JSON.parse(encodeAll(batch, { fields: ["integrity"] }).lines[0]!)).toEqual({
      a: 1,
      integrity: { chain: "broken", by: "x" },
    });
  });
});
