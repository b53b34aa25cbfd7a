import { expect, test } from "vitest";
import { brief, visible } from "./text.ts";

test.each([
  ["plain text, ünïcödé 漢字 🙂", "plain text, ünïcödé 漢字 🙂"],
  ["a\tb\nc\r", "a⇥b⏎c␍"],
  ["\u0000\u001b[31m", "⟨0000⟩⟨001B⟩[31m"],
  ["exe.\u202Egnp", "exe.⟨202E⟩gnp"],
  ["pay\u200Bpal \u2066x\u2069 \uFEFF", "pay⟨200B⟩pal ⟨2066⟩x⟨2069⟩ ⟨FEFF⟩"],
  ["line\u2028para\u2029", "line⟨2028⟩para⟨2029⟩"],
  ["\u{E0041}", "⟨E0041⟩"],
  ["\ud800", "⟨D800⟩"],
])("what cannot be seen is shown: %j", (text, shown) => {
  expect(visible(text)).toBe(shown);
});

test("a long hash is named by its beginning", () => {
  expect(brief("9f2c41d07be85a63")).toBe("9f2c41d07be8…");
  expect(brief("9f2c")).toBe("9f2c");
});
