import { describe, expect, test } from "vitest";
import { batchOf } from "../../test/contract/records.ts";
import { type Action, fault } from "../../test/fakes/cloudwatch.ts";
import {
  actions,
  cloudwatchOutput,
  entryAt,
  outcome,
  startFake,
  writeAll,
  writeLines,
} from "../../test/fakes/cloudwatch-output.ts";

const line = entryAt(0);
const probe = (output: Awaited<ReturnType<typeof cloudwatchOutput>>) => output.probe(new AbortController().signal);

describe("groups and streams", () => {
  test("are made on demand; retention only on groups it made", async () => {
    const fake = await startFake();
    fake.has("/a/theirs");
    const names = { log_group: "/a/$TAG", log_stream: "$TAG[0]-$NODE-%Y", preset: "hipaa" };
    const output = await cloudwatchOutput(fake, names);
    expect(await writeLines(output, [line], "ours")).toEqual({});
    expect(await writeLines(output, [line], "theirs")).toEqual({});
    expect([...fake.groups].map(([name, { retention, streams }]) => [name, retention, [...streams]])).toEqual([
      ["/a/theirs", undefined, ["theirs-n-2026"]],
      ["/a/ours", 2192, ["ours-n-2026"]],
    ]);
  });

  test("are made with the key and of the class asked for, else with neither", async () => {
    const fake = await startFake();
    const asked: unknown[] = [];
    fake.gate = (action, call) => void (action === "CreateLogGroup" && asked.push(call));
    const kms_key_id = "arn:aws:kms:eu-central-1:123456789012:key/1";
    await writeLines(await cloudwatchOutput(fake, { kms_key_id, log_group_class: "infrequent_access" }), [line]);
    await writeLines(await cloudwatchOutput(fake, { log_group: "other" }), [line]);
    expect(asked).toEqual([
      { logGroupName: "g", kmsKeyId: kms_key_id, logGroupClass: "INFREQUENT_ACCESS" },
      { logGroupName: "other" },
    ]);
  });

  test("are not made with `auto_create: false`: it waits and says what is missing", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { auto_create: false });
    expect(outcome(await writeLines(output, [line]))).toEqual([
      [0, "block", expect.stringContaining("The specified log group does not exist")],
    ]);
    await expect(probe(output)).rejects.toThrow("there is no log group g");
    fake.has("g");
    await probe(output);
    expect(fake.actions).not.toContain("CreateLogGroup");
  });

  test("are not made for entries that the service would not take", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { log_stream: "%Y-%m-%d" });
    const days = [-700, -400, -20, 3];
    const lines = [0, ...days].map((day) => entryAt(day * 86_400_000));
    expect(outcome(await writeLines(output, lines))).toEqual([
      [1, "reject", "more than 14 days old"],
      [2, "reject", "more than 14 days old"],
      [3, "reject", "more than 14 days old"],
      [4, "reject", "more than 2 hours ahead of the service's clock"],
    ]);
    expect([...fake.groups.get("g")!.streams]).toEqual(["2026-02-15"]);
    // At the edge the service decides.
    await writeLines(output, [entryAt(-14 * 86_400_000 - 1_000)]);
    expect([...fake.groups.get("g")!.streams]).toEqual(["2026-02-15", "2026-02-01"]);
  });

  test("that were deleted while it ran are made again", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { retention_days: 30 });
    await writeLines(output, [line]);
    fake.groups.delete("g");
    expect(await writeLines(output, [line])).toEqual({});
    fake.groups.get("g")!.streams.clear();
    expect(await writeLines(output, [line])).toEqual({});
    expect(fake.groups.get("g")!.retention).toBe(30);
    expect(fake.events).toHaveLength(3);
  });

  test("that are gone again as soon as they were made are tried again later", async () => {
    const fake = await startFake();
    fake.gate = (action) => void (action === "PutLogEvents" && fake.groups.clear());
    expect(actions(await writeLines(await cloudwatchOutput(fake), [line]))).toEqual([[0, "retry"]]);
  });

  test.each([
    ["ThrottlingException", "retry"],
    ["OperationAbortedException", "retry"],
    ["ServiceUnavailableException", "retry"],
    ["AccessDeniedException", "block"],
  ])("keep no entry before they have their retention (%s)", async (type, action) => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG", retention_days: 30 });
    fake.faults("PutRetentionPolicy", fault(type === "ServiceUnavailableException" ? 503 : 400, type, "no"));
    expect(actions(await writeLines(output, [line], "a"))).toEqual([[0, action]]);
    expect(fake.groups.get("g")).toEqual({ retention: undefined, streams: new Set() });
    expect(await writeLines(output, [line], "b")).toEqual({});
    expect(fake.groups.get("g")).toEqual({ retention: 30, streams: new Set(["b"]) });
  });

  test.each([
    ["CreateLogGroup", "OperationAbortedException", "retry"],
    ["CreateLogGroup", "LimitExceededException", "block"],
    ["CreateLogGroup", "ThrottlingException", "retry"],
    ["CreateLogGroup", "ResourceAlreadyExistsException", "stored"],
    ["CreateLogStream", "ThrottlingException", "retry"],
    ["CreateLogStream", "AccessDeniedException", "block"],
  ] as [Action, string, string][])("%s answered by %s: %s", async (action, type, becomes) => {
    const fake = await startFake();
    fake.faults(action, fault(400, type, "no"));
    if (becomes === "stored") fake.gate = (now) => void (now === action && fake.has("g"));
    const result = await writeLines(await cloudwatchOutput(fake), [line]);
    expect(actions(result)).toEqual(becomes === "stored" ? [] : [[0, becomes]]);
  });

  test("of one group are made one after the other: the group once", async () => {
    const fake = await startFake();
    const output = await cloudwatchOutput(fake, { log_stream: "$TAG", retention_days: 3 });
    const batches = Array.from({ length: 20 }, (_, i) => batchOf([line], { tag: `t${i}` }));
    expect(await writeAll(output, batches)).toEqual({});
    expect(fake.actions.filter((action) => action === "CreateLogGroup" || action === "PutRetentionPolicy")).toEqual([
      "CreateLogGroup",
      "PutRetentionPolicy",
    ]);
    expect(fake.events).toHaveLength(20);
  });
});

test("rights to write are enough to write; the check says which it asks with", async () => {
  const fake = await startFake();
  const output = await cloudwatchOutput(fake);
  fake.faults("DescribeLogGroups", fault(400, "AccessDeniedException", "not authorized"));
  await expect(probe(output)).rejects.toThrow("not authorized (the check asks with logs:DescribeLogGroups)");
  expect(await writeLines(output, [line])).toEqual({});
});
