/** What the generated chains (differential.long.test.ts) have found, each as small as it gets. */
import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ChainReader, Entry, Step } from "../../agent/integrity/reader.ts";
import { detectScheme, schemeOf } from "../../agent/integrity/scheme.ts";
import { ecmascriptText } from "../../agent/json/ecmascript.ts";

describe("white space before an entry", () => {
  const dashboard = (lead: string) => {
    const own = hash("sha256", `${"0".repeat(64)}{"a": 1}`);
    return Buffer.from(`${lead}{"a": 1, "_integrity_hash": "${own}"}${lead}`);
  };
  test.each([" ", "\t", " \t ", "\u00a0", "\u2028", "\u3000", "\v", "\f", "\x1c", "\u00a0 "])("%j", (lead) => {
    const line = dashboard(lead);
    expect(new ChainReader(schemeOf("loki-dashboard")).next(line, 0, line.length)).toBe(Step.follows);
  });
});

describe("an agent's entry", () => {
  const text = (json: string) => ecmascriptText(Buffer.from(json), 0, Buffer.byteLength(json), ["metadata"]);

  test("keys that JSON.parse takes for each other (nodejs/node#63785)", () => {
    expect(text('{"a":1,"\\\\":1}')).toBe("{}");
    JSON.parse('{"a":1,"\\\\":1}');
    for (const json of [
      '{"metadata":{"a":1,"\\\\":1}}',
      '{"metadata":{"a":1,"\\n":2}}',
      '{"metadata":{"s":1,"\\\\u":1}}',
      '{"metadata":{"s":1,"\\t\\"":1}}',
    ]) {
      expect(text(json)).toBe(json);
    }
  });

  test.each([
    [
      `{"2":1,"10":2,"1":3,"b":4,"a":5,"01":6,"4294967294":7,"4294967295":8}`,
      `{"1":3,"2":1,"10":2,"4294967294":7,"b":4,"a":5,"01":6,"4294967295":8}`,
    ],
    [`{"a":1,"b":2,"a":3}`, `{"a":3,"b":2}`],
    [`{"__proto__":{"x":1},"constructor":[ ]}`, `{"__proto__":{"x":1},"constructor":[]}`],
    ["[1.0,-0,-0.0,1e400,-1e400,1E5,1e21,1e-7,0.000001,100.00]", "[1,0,0,null,null,100000,1e+21,1e-7,0.000001,100]"],
    ["[9007199254740993,123456789012345678901234567890,5e-324]", "[9007199254740992,1.2345678901234568e+29,5e-324]"],
    [
      `["\\ud83d\\ude00","\\ud83d","\\u2028","\\/","\\u007f","\\u001F"]`,
      `["😀","\\ud83d","\u2028","/","\x7f","\\u001f"]`,
    ],
    [` { "x" : [ true , false , null ] } `, `{"x":[true,false,null]}`],
  ])("%s", (value, printed) => {
    expect(text(`{"metadata":${value},"other":1}`)).toBe(`{"metadata":${printed}}`);
  });

  test.each(["NaN", "Infinity", "-Infinity", "[NaN]", '{"x":NaN}'])("%s is Python's, not JavaScript's", (value) => {
    const line = Buffer.from(`{"metadata":${value},"previousHash":"GENESIS","hash":"x"}`);
    expect(new ChainReader(schemeOf("loki-agent")).read(line, 0, line.length)).toBe(Entry.malformed);
  });
});

test("an agent's entry stays one, whatever is added to it: nothing but eight members is hashed", () => {
  const line = Buffer.from('{"_integrity_hash":"x","chain_hash":"y","seq":0,"previousHash":"GENESIS","hash":"z"}');
  expect(detectScheme(line, 0, line.length)?.name).toBe("loki-agent");
});
