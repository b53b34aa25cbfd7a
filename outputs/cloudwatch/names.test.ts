import { describe, expect, test } from "vitest";
import { batchOf } from "../../test/contract/records.ts";
import { cloudwatchOutput, entryAt, startFake, writeAll } from "../../test/fakes/cloudwatch-output.ts";
import { nameProblem, nameTemplate } from "./names.ts";

const about = { hostname: "h:1", node: "n" };
const group = (template: string, tag: string) => nameTemplate(template, "group", about).render(tag, 0);
const stream = (template: string, tag: string) => nameTemplate(template, "stream", about).render(tag, 0);

test("names are made of the tag, its parts, the host, the node and the time", () => {
  expect(group("/x/$TAG[1]/$TAG", "a.b")).toBe("/x/b/a.b");
  expect(stream("$HOSTNAME %Y-%m-%d", "t")).toBe("h_1 1970-01-01");
  expect(stream("$NODE/$TAG[7]", "a.b")).toBe("n/");
  const changing = nameTemplate("%H-$TAG", "stream", about);
  expect([0, 0, 3_600_000, 0].map((ms, i) => changing.render(i === 1 ? "b" : "a", ms))).toEqual([
    "00-a",
    "00-b",
    "01-a",
    "00-a",
  ]);
});

describe("what a name must not hold", () => {
  test("becomes _ where it comes from the tag or the host", () => {
    expect(group("$TAG", "a:b *é\n%$")).toBe("a_b______");
    expect(stream("$TAG", "a:b*c\n\u0000\ud800é%$TAG😀")).toBe("a_b_c___é%$TAG😀");
  });

  test.each([
    ["a b", "group", '" "'],
    ["a%%b", "group", '"%"'],
    ["é", "group", '"é"'],
    ["aws/x", "group", "aws/"],
    ["a:b", "stream", '":"'],
    ["a*", "stream", '"*"'],
    ["a\tb", "stream", '"\\t"'],
    ["$HOST", "stream", "$HOST is unknown"],
    ["$tag", "stream", "$tag is unknown"],
    ["$TAGS", "group", "$TAGS is unknown"],
    ["%Q", "group", "%Q is unknown"],
    ["x".repeat(513), "stream", "longer than 512"],
  ] as const)("is an error in the template %j of a %s", (template, kind, problem) => {
    expect(nameProblem(template, kind)).toContain(problem);
  });

  test.each([
    ["/aws/x.y-z_#%Y/$TAG[0]", "group"],
    ["größe 100%% [$NODE]", "stream"],
    ["x".repeat(512), "stream"],
    ["$TAG", "group"],
  ] as const)("%j may name a %s", (template, kind) => {
    expect(nameProblem(template, kind)).toBeUndefined();
  });
});

test("a name is at least one character and at most 512, and begins with nothing reserved", () => {
  expect([group("$TAG", ""), stream("$TAG[3]", "a")]).toEqual(["_", "_"]);
  for (const length of [511, 512, 513]) expect(group("$TAG", "x".repeat(length))).toHaveLength(Math.min(length, 512));
  expect(stream("$TAG", `${"x".repeat(511)}😀`)).toBe(`${"x".repeat(511)}_`);
  expect(group("$TAG", "aws/x")).toBe("_aws/x");
});

test("any tag gives names that the service takes", async () => {
  const fake = await startFake();
  const output = await cloudwatchOutput(fake, { log_group: "$TAG", log_stream: "$TAG-%Y" });
  const tags = [
    "",
    "a:b*",
    "é😀",
    "aws/lambda",
    "x".repeat(2_000),
    "\u0000\ud83d",
    "a\nb",
    "$TAG[0]",
    "%Y",
    "[$LATEST]",
  ];
  expect(
    await writeAll(
      output,
      tags.map((tag) => batchOf([entryAt(0)], { tag })),
    ),
  ).toEqual({});
  expect(fake.events).toHaveLength(tags.length);
});
