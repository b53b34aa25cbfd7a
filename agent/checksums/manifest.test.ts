import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatLine, ManifestError, parseLine, parseManifest, parseSizes, sizeKey } from "./manifest.ts";
import { byteName, inside, isLogName, shown } from "./names.ts";

const HASH = "0123456789abcdef".repeat(4);

describe("lines", () => {
  test.each([
    ["text mode", `${HASH}  a.log`, "a.log"],
    ["binary mode", `${HASH} *a.log`, "a.log"],
    ["upper case", `${HASH.toUpperCase()}  a.log`, "a.log"],
    ["space before", ` \t${HASH}  a.log`, "a.log"],
    ["a name that begins with a space", `${HASH}   a.log`, " a.log"],
    ["a name that begins with a star", `${HASH}  *a.log`, "*a.log"],
    ["escaped", `\\${HASH}  a\\\\b\\nc\\rd.log`, "a\\b\nc\rd.log"],
    ["backslashes that look like an escape", `\\${HASH}  a\\\\n.log`, "a\\n.log"],
    ["a backslash where nothing is escaped", `${HASH}  a\\n.log`, "a\\n.log"],
    ["--tag", `SHA256 (a) b.log) = ${HASH}`, "a) b.log"],
  ])("%s", (_, line, name) => {
    expect(parseLine(line)).toEqual({ name, hash: HASH });
  });

  test.each([
    ["too short", `${HASH.slice(1)}  a.log`],
    ["too long", `${HASH}0  a.log`],
    ["one space", `${HASH} a.log`],
    ["no name", `${HASH}  `],
    ["another algorithm", `MD5 (a.log) = ${HASH}`],
    ["an escape nobody knows", `\\${HASH}  a\\x.log`],
    ["an escape at the end", `\\${HASH}  a.log\\`],
    ["a NUL", `${HASH}  a\0.log`],
    ["words", "hello"],
  ])("no line: %s", (_, line) => {
    expect(parseLine(line)).toBeUndefined();
    expect(() => parseManifest(`# fine\n\n${HASH}  a\n${line}\n`)).toThrow(ManifestError);
    expect(() => parseManifest(`# fine\n\n${HASH}  a\n${line}\n`)).toThrow("line 4 ");
  });

  test("comments, blank lines, CRLF, and no line feed at the end", () => {
    const text = `# made by hand\n\n${HASH}  a.log\r\n\r\n${HASH}  b.log`;
    expect(parseManifest(text).map(({ name, line }) => [name, line])).toEqual([
      ["a.log", 3],
      ["b.log", 5],
    ]);
  });

  test("any name comes back as it was", () => {
    const byte = fc.integer({ min: 1, max: 255 }).filter((c) => c !== 0x2f);
    const special = fc.constantFrom(0x5c, 0x0a, 0x0d, 0x6e, 0x20, 0x23, 0x2a);
    const names = fc.array(fc.oneof(byte, special), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(names, fc.nat(), (bytes, size) => {
        const name = byteName(Buffer.from(bytes));
        const line = formatLine(name, HASH);
        expect(parseManifest(`${line}\n`)).toEqual([{ name, hash: HASH, line: 1 }]);
        expect(parseSizes(`${size} ${line}\n`).get(sizeKey(name, HASH))).toEqual([size]);
      }),
    );
  });

  test("sizes that make no sense are no sizes", () => {
    const text = `x ${HASH}  a\n-1 ${HASH}  a\n99999999999999999999 ${HASH}  a\n1\n\n7 ${HASH}  a\n7 ${HASH}  a\n${HASH}  a\n`;
    expect([...parseSizes(text)]).toEqual([[sizeKey("a", HASH), [7]]]);
  });
});

describe("names", () => {
  test.each([
    ["a.log", "a.log"],
    ["./a.log", "a.log"],
    [".//x/../a.log", "a.log"],
    ["sub/a.log", "sub/a.log"],
    ["/var/log/app/a.log", "a.log"],
    ["/var/log//app/./a.log", "a.log"],
    ["/real/place/a.log", "a.log"],
    ["..a.log", "..a.log"],
    ["../a.log", undefined],
    ["x/../../a.log", undefined],
    ["..", undefined],
    [".", undefined],
    ["./", undefined],
    ["a.log/", undefined],
    ["/etc/passwd", undefined],
    ["/var/log/app", undefined],
    ["/var/log/app/", undefined],
    ["/var/log/app2/a.log", undefined],
    ["/var/log/app/../a.log", undefined],
  ])("%s is %s", (name, expected) => {
    expect(inside(name, ["/var/log/app", "/real/place"])).toBe(expected);
  });

  test("in the root directory", () => {
    expect(inside("/a.log", ["/"])).toBe("a.log");
  });

  test("what a shell means by *.log *.jsonl", () => {
    const names = ["a.log", "b.jsonl", ".log", ".a.log", "a.LOG", "a.log.1", "log", "a.json", "é.log"];
    expect(names.map(byteName).filter(isLogName)).toEqual(["a.log", "b.jsonl", byteName("é.log")]);
  });

  test("no name draws on a terminal", () => {
    expect(shown(byteName("a\n\u001b[31m\u202eé.log"))).toBe("a\\n\\u001b[31m\\u202eé.log");
  });
});
