import { describe, expect, it } from "vitest";
import { pathTemplate, tagInName } from "./template.ts";

const time = Date.UTC(2026, 1, 3, 4, 5, 6);
const source = { id: "", group: "" };

describe("names of archive files", () => {
  it("are made from time and tag", () => {
    const template = pathTemplate("/var/log/archive/$TAG/audit-%Y-%m-%d.jsonl");
    expect(template.base).toBe("/var/log/archive");
    expect(template.render(time, "audit.web", source)).toBe("/var/log/archive/audit.web/audit-2026-02-03.jsonl");
    expect(template.render(time, "b", source)).toBe("/var/log/archive/b/audit-2026-02-03.jsonl");
    expect(template.render(time + 86_400_000, "b", source)).toBe("/var/log/archive/b/audit-2026-02-04.jsonl");
  });

  it("have the directory that all share", () => {
    expect(pathTemplate("/a/b.jsonl").base).toBe("/a");
    expect(pathTemplate("/a/b-%Y/%m.jsonl").base).toBe("/a");
    expect(pathTemplate("/a/b/%Y.jsonl").base).toBe("/a/b");
    expect(pathTemplate("/%Y.jsonl").base).toBe("/");
  });

  it.each([
    ["../../etc/passwd", "___.._etc_passwd"],
    ["..", "__"],
    [".hidden", "_hidden"],
    ["a/b", "a_b"],
    ["a\0b\n", "a_b_"],
    ["", "_"],
    ["é%Y$&", "__Y__"],
    ["x".repeat(500), "x".repeat(96)],
  ])("take no path from a tag: %j", (tag, name) => {
    expect(tagInName(tag)).toBe(name);
  });

  it("keep the files of a log apart", () => {
    const template = pathTemplate("/base/$SOURCE.jsonl");
    expect(template.render(time, "t", { id: "a-B_9", group: "" })).toBe("/base/a-B_9.jsonl");
    expect(template.render(time, "t", { id: "other", group: "" })).toBe("/base/other.jsonl");
  });

  it("keep logs apart", () => {
    const template = pathTemplate("/base/$GROUP/$TAG.jsonl");
    expect(template.base).toBe("/base");
    expect(template.render(time, "t", { id: "s", group: "/var/log/audit.jsonl" })).toMatch(
      /^\/base\/var_log_audit-[0-9a-f]{8}\/t\.jsonl$/,
    );
    const groups = [
      "/a/b_c.jsonl",
      "/a_b/c.jsonl",
      "/a/b_c.log",
      "",
      "/",
      `/${"x".repeat(500)}1`,
      `/${"x".repeat(500)}2`,
    ];
    const names = groups.map((group) => template.render(time, "t", { id: "s", group }));
    expect(new Set(names).size).toBe(groups.length);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThan(120);
  });

  it.each(["/base/$TAG", "/base/$GROUP", "/base/$SOURCE"])(
    "never leave the directory, whatever the tag: %s",
    (path) => {
      const template = pathTemplate(path);
      for (const tag of ["..", ".", "/", "../x", "$TAG", "$&", "%Y"]) {
        expect(template.render(time, tag, { id: tag, group: tag })).toMatch(/^\/base\/[^/]+$/);
        expect(template.render(time, tag, { id: tag, group: tag })).not.toMatch(/\/\.\.?$/);
      }
    },
  );
});
