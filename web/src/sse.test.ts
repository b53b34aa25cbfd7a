import fc from "fast-check";
import { expect, test } from "vitest";
import { SseParser } from "./sse.ts";

const parsed = (...pieces: string[]) => {
  const parser = new SseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

test.each([
  ["an event", "event: log\ndata: {}\n\n", [{ event: "log", data: "{}" }]],
  ["no event's name", "data: x\n\n", [{ event: "message", data: "x" }]],
  ["data of several lines", "data: a\ndata: b\n\n", [{ event: "message", data: "a\nb" }]],
  ["no space after the colon", "event:log\ndata:x\n\n", [{ event: "log", data: "x" }]],
  ["one space is taken away, not two", "data:  x\n\n", [{ event: "message", data: " x" }]],
  ["a comment", ": still here\n\ndata: x\n\n", [{ event: "message", data: "x" }]],
  [
    "an event without data is none, and its name is forgotten",
    "event: log\n\ndata: x\n\n",
    [{ event: "message", data: "x" }],
  ],
  ["other fields", "id: 1\nretry: 5\ndata: x\n\n", [{ event: "message", data: "x" }]],
  [
    "carriage returns",
    "event: log\r\ndata: a\r\n\r\ndata: b\r\r",
    [
      { event: "log", data: "a" },
      { event: "message", data: "b" },
    ],
  ],
  ["an event that does not end", "data: x\n", []],
])("%s", (_, text, messages) => {
  expect(parsed(text)).toEqual(messages);
});

test("it does not matter where the pieces end", () => {
  const text = 'event: pipeline\r\ndata: {"a":1}\r\n\r\n: \r\ndata: ü\r\ndata: z\n\nevent: log\rdata: 1\r\r';
  const whole = parsed(text);
  expect(whole).toHaveLength(3);
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), text.length];
      expect(parsed(...at.slice(1).map((end, i) => text.slice(at[i], end)))).toEqual(whole);
    }),
  );
});

test("a line without an end does not fill the memory", () => {
  const parser = new SseParser();
  const piece = "x".repeat(2 ** 24);
  parser.push(piece);
  parser.push(piece);
  expect(() => parser.push(piece)).toThrow("too long");
});
