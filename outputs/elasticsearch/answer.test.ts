import { expect, test } from "vitest";
import { readAnswer } from "./answer.ts";

const created = { create: { status: 201 } };
const answer = (errors: boolean, ...items: unknown[]) => JSON.stringify({ errors, items });

test("all created, at any count", () => {
  for (const count of [1, 2, 1023, 1024, 1025, 5000]) {
    expect(readAnswer(answer(false, ...Array.from({ length: count }, () => created)), count)).toBeUndefined();
  }
});

test("items keep their positions", () => {
  const error = { type: "t" };
  expect(readAnswer(answer(true, created, { create: { status: 400, error } }, created), 3)).toEqual([
    { status: 201, error: undefined, redirected: false },
    { status: 400, error, redirected: false },
    { status: 201, error: undefined, redirected: false },
  ]);
});

test("a document in the failure store is told from one in the data stream", () => {
  const kept = { create: { status: 201, failure_store: "used" } };
  const refused = { create: { status: 400, error: { type: "t" }, failure_store: "not_enabled" } };
  expect(readAnswer(answer(false, created, kept, refused), 3)?.map(({ redirected }) => redirected)).toEqual([
    false,
    true,
    false,
  ]);
});

test("white space and further members do no harm", () => {
  const text = JSON.stringify({ took: 3, errors: false, items: [{ create: { _id: "x", status: 201 } }] }, null, 2);
  expect(readAnswer(text, 1)).toEqual([{ status: 201, error: undefined, redirected: false }]);
});

test.each([
  ["too few", answer(false, created), 2, /1 items for 2/],
  ["too many", answer(false, created, created), 1, /2 items for 1/],
  ["none", '{"errors":false}', 1, /no items/],
  ["errors without items", '{"errors":true}', 1, /no items/],
  ["no word on errors", JSON.stringify({ items: [created] }), 1, /does not say/],
  ["cut", answer(false, created, created).slice(0, -1), 2, /not JSON/],
  ["HTML", "<html>Welcome</html>", 1, /not JSON: <html>/],
  ["empty", "", 1, /not JSON/],
  ["null", "null", 1, /does not say/],
  ["an item of another kind", answer(false, { index: { status: 201 } }), 1, /without a status/],
  ["an item that is none", answer(false, null), 1, /without a status/],
  ["a status in words", answer(false, { create: { status: "201" } }), 1, /without a status/],
  ["stored, and an error", answer(false, { create: { status: 201, error: {} } }), 1, /names an error/],
])("an answer that is none: %s", (_, text, count, message) => {
  expect(() => readAnswer(text, count)).toThrow(message);
});

test("one wrong byte in the usual answer is noticed", () => {
  const text = answer(false, ...Array.from({ length: 50 }, () => created));
  for (let at = 26; at < text.length; at += 7) {
    const other = `${text.slice(0, at)}5${text.slice(at + 1)}`;
    if (other === text) continue;
    let read: unknown = "thrown";
    try {
      read = readAnswer(other, 50);
    } catch {}
    expect(read, `byte ${at}`).toBeDefined();
  }
});
