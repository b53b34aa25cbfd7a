import { expect, test } from "vitest";
import { pythonText } from "../../agent/json/python.ts";
import { ROOM } from "../../agent/json/python-frames.ts";
import { LEAD, PythonWriter } from "../../agent/json/python-writer.ts";
import { compare } from "./python-writer-model.ts";

test("the fast writer prints what the plain one does, on 10,000 generated and spoilt entries", () => {
  expect(compare(Number(process.env.SEED ?? 1), 10_000)).toBeUndefined();
});

test("where what is printed anew just fills its room, nothing is written behind it", () => {
  const writer = new PythonWriter([]);
  for (const value of ["{ }", "[ ]"]) {
    for (let spare = 0; spare < 14; spare++) {
      // An array is printed twice: by itself, and as what holds a text.
      const most = 42_000;
      const left = ROOM - 4 - spare - (2 * 6 * most + 6) - 2;
      const text = `${"\u007f".repeat(Math.floor(left / 6))}${"z".repeat(left % 6)}`;
      const members = Array.from("cdef", (key) => `"${key}": ${value}`);
      const bytes = Buffer.from(`{"a": ["${"\u007f".repeat(most)}"], "b": "${text}", ${members}}`);
      const to = writer.write(bytes, 0, bytes.length);
      if (to < 0) continue;
      expect(writer.out.toString("latin1", LEAD, to).slice(-60)).toBe(pythonText(bytes, 0, bytes.length).slice(-60));
    }
  }
});

test("entries of a shape that is not kept, with more members than one before had", () => {
  const writer = new PythonWriter(["hash"]);
  // What follows a joint is kept for 16 different ones; these first keys are too long to be kept at all.
  for (const members of [3, 40, 70, 200]) {
    const names = Array.from({ length: members }, (_, i) => `"${"k".repeat(300)}${(i * 7919) % 1000}": ${i}`);
    const bytes = Buffer.from(`{${names.toSpliced(members >> 1, 0, '"hash": "x"').join(", ")}}`);
    const to = writer.write(bytes, 0, bytes.length);
    expect(writer.out.toString("latin1", LEAD, to)).toBe(pythonText(bytes, 0, bytes.length, ["hash"]));
  }
});
