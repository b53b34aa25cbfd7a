/** Two chains checked together: what the writers' own verifiers answer of what they wrote, and variations of the agent's side. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  AGENT,
  answer,
  CASES,
  changeAnchors,
  dir,
  like,
  linesOf,
  project,
  read,
  rechained,
  rootOf,
  run,
  start,
  textOf,
  WITNESS,
  write,
} from "../../test/fakes/unified-project.ts";

describe("the writers' own", () => {
  test.each(CASES.map((each) => [each.case, each] as const))("%s", async (name, expected) => {
    start(name);
    const { verify_unified, verify_manifest_link, valid } = await answer();
    expect(verify_unified).toEqual(expected.verifyUnified);
    expect(verify_manifest_link).toEqual(expected.verifyManifestLink);
    expect(valid).toBe(expected.verifyUnified.valid && expected.verifyManifestLink.valid);
  });

  test("in words: a line for each part, then the verdict", async () => {
    start("intact");
    const { code, out } = await run(false);
    expect(code).toBe(0);
    expect(out.replaceAll(dir, "DIR")).toBe(`DIR/project/.loki/audit/audit.jsonl
DIR/dashboard
  agent chain      intact    23 entries verified
  dashboard chain  intact    65 entries verified in 1 file
  anchors          hold      2 in the agent chain
  manifest link    holds
  witness file     in order  2 lines in order
VALID: both chains are intact, and what binds them holds.
`);
  });

  test.each([
    [
      "dashboard-rewritten",
      "audit.jsonl:16: the anchor does not hold: the first 40 entries of the dashboard's chain are not those",
    ],
    [
      "dashboard-truncated",
      "audit.jsonl:23: the anchor does not hold: it pins 65 entries of the dashboard's chain, of which 50 hold",
    ],
    ["agent-truncated", "audit.jsonl: a witness saw 23 entries, and the chain has 12; its end was cut off"],
    ["manifest-edited", "loki-run.json: the manifest is not the one that was linked (by line 17 of "],
    ["witness-shrunk", "witness.jsonl:2: counts go backwards: it was rewritten"],
  ])("in words: %s says where and what", async (name, words) => {
    start(name);
    const { code, out } = await run(false);
    expect(code).toBe(1);
    expect(out).toContain("NOT VALID:\n");
    expect(out).toContain(words);
  });
});

describe("the agent's chain", () => {
  test("an edited entry breaks it there; anchors behind it are read all the same", async () => {
    start("intact");
    const lines = linesOf(read(AGENT));
    lines[4] = lines[4]!.replace(/"who":"[^"]*"/, '"who":"mallory"');
    write(AGENT, textOf(lines));
    const found = await answer();
    // Four entries hold, and a witness saw more.
    expect(found).toMatchObject(
      like({ valid: false, agent_valid: false }, { valid: false, truncationSuspected: true }),
    );
    expect(found.reasons[0]).toMatch(/audit\.jsonl:5: the entry's hash does not fit its content$/);
  });

  test("white space around the whole is trimmed; a blank line inside is a break", async () => {
    start("intact");
    const lines = linesOf(read(AGENT));
    write(AGENT, Buffer.from(`\ufeff\n \u00a0\r\n${textOf(lines)}\n\t\u3000\n`).toString("latin1"));
    expect(await answer()).toMatchObject(like());
    write(AGENT, textOf(lines.map((line) => `${line}\r`)));
    expect(await answer()).toMatchObject(like());
    write(AGENT, textOf(lines.toSpliced(22, 0, "", "")));
    const found = await answer();
    expect(found).toMatchObject(
      like({ valid: false, agent_valid: false }, { valid: false, truncationSuspected: true }),
    );
    expect(found.reasons[0]).toMatch(/audit\.jsonl:23: the line is not a JSON object$/);
  });

  test("no chain: valid and empty, unless a witness saw one", async () => {
    start("intact");
    rmSync(join(project, AGENT));
    const none = { anchors: 0 };
    expect(await answer()).toMatchObject(like(none, { valid: false, present: false, truncationSuspected: true }));
    rmSync(join(project, WITNESS));
    const found = await answer();
    expect(found).toMatchObject(like({ ...none, witnesses: 0 }, { present: false }));
    expect(found.warnings[0]).toMatch(/audit\.jsonl does not exist: there is no agent chain to check$/);
  });

  test.each(["null", "42", '"x"', "[]", "{}", "{", "", "NaN", "[".repeat(200_000), `{"a":`.repeat(50_000), "\xff\xfe"])(
    "a line that is no entry (%#)",
    async (line) => {
      start("intact");
      write(AGENT, textOf(linesOf(read(AGENT)).toSpliced(10, 0, line)));
      expect(await answer()).toMatchObject(
        like({ valid: false, agent_valid: false }, { valid: false, truncationSuspected: true }),
      );
    },
  );
});

describe("anchors", () => {
  test("a root that is not that of its two tips", async () => {
    start("intact");
    changeAnchors((metadata) => {
      metadata.unifiedRoot = "0".repeat(64);
    });
    const found = await answer();
    expect(found).toMatchObject(like({ valid: false, anchors_valid: false }));
    expect(found.reasons[0]).toContain("its root is not the hash of the two tips it names");
  });

  test("one made when there was no dashboard pins nothing", async () => {
    start("dashboard-rewritten");
    changeAnchors((metadata) => {
      metadata.dashboardAvailable = false;
    });
    expect(await answer()).toMatchObject(like());
  });

  test("an anchor that is hidden in escapes counts", async () => {
    start("dashboard-rewritten");
    write(AGENT, read(AGENT).replaceAll("audit_crosslink", "audit\\u005fcrosslink"));
    expect(await answer()).toMatchObject(like({ valid: false, anchors_valid: false }));
  });

  const genesis = "0".repeat(64);
  test.each([
    [0, genesis, true],
    [-3, genesis, true],
    ["40", undefined, true],
    ["40", "a".repeat(64), false],
    [1.5, genesis, false],
    [66, genesis, false],
    [1e21, genesis, false],
    [-1e21, genesis, false],
    [1, "", false],
    [0, 5, false],
    [0, ["x"], false],
  ])("%j entries with the tip %j: %s", async (entries, tip, holds) => {
    start("intact");
    changeAnchors((metadata) => {
      metadata.dashboardEntries = entries;
      metadata.dashboardTipHash = tip;
      metadata.unifiedRoot = rootOf(metadata.agentTipBeforeLink, tip || genesis);
    });
    expect(await answer()).toMatchObject(like({ valid: holds, anchors_valid: holds }));
  });

  test.each([
    null,
    5,
    "x",
    [],
    {},
    { agentTipBeforeLink: { toString: 1 } },
    { unifiedRoot: 1, dashboardAvailable: true },
  ])("metadata %j does not hold, and does no harm", async (metadata) => {
    start("intact");
    const lines = rechained(linesOf(read(AGENT)), (entry) => {
      if (entry.what === "audit_crosslink") entry.metadata = metadata;
    });
    write(AGENT, textOf(lines));
    expect(await answer()).toMatchObject(like({ valid: false, anchors_valid: false }));
  });
});
