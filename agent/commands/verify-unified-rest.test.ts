/** Two chains checked together: the manifest, the witness file, and what cannot be checked. */
import { hash } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  AGENT,
  answer,
  DAY,
  dashboard,
  like,
  linesOf,
  MANIFEST,
  project,
  read,
  rechained,
  run,
  start,
  textOf,
  WITNESS,
  write,
} from "../../test/fakes/unified-project.ts";

describe("the manifest", () => {
  test("gone, or no file any more", async () => {
    start("intact");
    rmSync(join(project, MANIFEST));
    expect(await answer()).toMatchObject(like({}, { valid: false }));
    mkdirSync(join(project, MANIFEST));
    expect(await answer()).toMatchObject(like({}, { valid: false }));
  });

  test("the last link counts", async () => {
    start("intact");
    const text = `{"schema":"other"}`;
    const lines = linesOf(read(AGENT));
    const link = lines.find((line) => line.includes("audit_manifest_link"))!;
    const again = [...lines, link.replace(/"manifestSha256":"[^"]*"/, `"manifestSha256":"${hash("sha256", text)}"`)];
    write(AGENT, textOf(rechained(again, () => {})));
    expect(await answer()).toMatchObject({ verify_manifest_link: { valid: false, present: true } });
    write(MANIFEST, text);
    expect(await answer()).toMatchObject({ verify_manifest_link: { valid: true, present: true } });
  });

  test("a link that names no hash is broken", async () => {
    start("intact");
    const lines = rechained(linesOf(read(AGENT)), (entry) => {
      if (entry.what === "audit_manifest_link") entry.metadata = null;
    });
    write(AGENT, textOf(lines));
    expect(await answer()).toMatchObject({ verify_manifest_link: { valid: false, present: true } });
  });
});

describe("the witness file", () => {
  const witness = (agentEntries: unknown, dashboardEntries: unknown = 0) =>
    JSON.stringify({ agentEntries, dashboardEntries });
  const good = { valid: true, truncationSuspected: false };
  const cut = { valid: false, truncationSuspected: true };

  test.each([
    ["none", undefined, {}, good],
    ["empty", " \n\n", { witnesses: 0 }, good],
    ["blank around", `\n${witness(3)}\n\n`, { witnesses: 1 }, good],
    ["blank inside", `${witness(3)}\n\n${witness(4)}\n`, { valid: false, witness_valid: false, witnesses: 1 }, good],
    ["no JSON", `${witness(3)}\nhello\n`, { valid: false, witness_valid: false, witnesses: 1 }, good],
    ["null", "null\n", { valid: false, witness_valid: false, witnesses: 0 }, good],
    ["other JSON counts as nothing", `5\n"x"\n[]\n${witness("99")}\n`, { witnesses: 4 }, good],
    ["exactly as long", `${witness(23, 65)}\n`, { witnesses: 1 }, good],
    ["longer by one", `${witness(24)}\n`, { witnesses: 1 }, cut],
    ["endless", '{"agentEntries":1e999}\n', { witnesses: 1 }, cut],
    ["below nothing", `${witness(-2)}\n`, { valid: false, witness_valid: false, witnesses: 0 }, good],
    [
      "dashboard backwards",
      `${witness(3, 9)}\n${witness(4, 8)}\n`,
      { valid: false, witness_valid: false, witnesses: 1 },
      good,
    ],
    [
      "a high mark behind what is wrong",
      `hello\n${witness(99)}\n`,
      { valid: false, witness_valid: false, witnesses: 0 },
      cut,
    ],
    ["deep", `${"[".repeat(500_000)}\n`, { valid: false, witness_valid: false, witnesses: 0 }, good],
  ])("%s", async (_, text, unified, link) => {
    start("intact");
    if (text === undefined) rmSync(join(project, WITNESS));
    else write(WITNESS, text);
    const expected = text === undefined ? { witnesses: 0 } : unified;
    expect(await answer()).toMatchObject(like(expected, link));
  });
});

describe("what a witness saw and the writers' own verifier does not ask for: a note", () => {
  test("nothing where both chains only grew", async () => {
    for (const name of ["intact", "grown"]) {
      start(name);
      expect((await answer()).warnings).toEqual([]);
    }
  });

  test("an agent chain hashed anew, as long as it was", async () => {
    start("intact");
    write(
      AGENT,
      textOf(
        rechained(linesOf(read(AGENT)), (entry, i) => {
          if (i === 20) entry.who = "mallory";
        }),
      ),
    );
    const found = await answer();
    expect(found).toMatchObject(like());
    expect((await run(false)).out).toContain("\nVALID by the rules, but something does not fit: see the notes.\n");
    expect(found.warnings).toEqual([
      expect.stringMatching(
        /witness\.jsonl:2: a witness saw 23 entries of the agent chain, the last with the hash [0-9a-f]{64}; /,
      ),
    ]);
  });

  test("a dashboard chain cut short, with no anchor to tell", async () => {
    start("dashboard-truncated");
    const lines = linesOf(read(AGENT)).slice(0, 22);
    write(AGENT, textOf(lines));
    write(WITNESS, read(WITNESS).replaceAll('"agentEntries":23', '"agentEntries":22'));
    const found = await answer();
    expect(found).toMatchObject({ valid: true, verify_unified: { anchors: 1 } });
    expect(found.warnings.join("\n")).toContain("a witness saw 65 entries of the dashboard chain");
  });
});

describe("could not check: exit 2", () => {
  function replace(path: string, directory: boolean): void {
    rmSync(path, { recursive: true });
    if (directory) mkdirSync(path);
    else writeFileSync(path, "");
  }
  function circle(path: string): void {
    rmSync(path);
    symlinkSync("witness.jsonl", path);
  }

  test.each([
    ["no such project", () => rmSync(project, { recursive: true }), "ENOENT"],
    ["a file", () => replace(project, false), "is not a directory"],
    ["no .loki", () => rmSync(join(project, ".loki"), { recursive: true }), "it is no project with an audit trail"],
    ["a directory instead of the chain", () => replace(join(project, AGENT), true), "is not a file"],
    ["a file instead of the dashboard", () => replace(dashboard, false), "ENOTDIR"],
    ["a circle of links", () => circle(join(project, WITNESS)), "ELOOP"],
  ])("%s", async (_, prepare, words) => {
    start("intact");
    prepare();
    const plain = await run(false);
    expect(plain).toMatchObject({ code: 2, out: "", err: expect.stringContaining(words) });
    const { code, out } = await run();
    expect({ code, ...(JSON.parse(out) as object) }).toMatchObject({
      code: 2,
      valid: null,
      error: expect.stringContaining(words),
    });
  });

  test.runIf(process.getuid?.() !== 0)("what may not be read", async () => {
    start("intact");
    chmodSync(join(dashboard, DAY), 0);
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining("EACCES") });
  });
});
