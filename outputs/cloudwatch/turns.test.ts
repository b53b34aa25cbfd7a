import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

const never = new AbortController().signal;

test("one after the other for a key, side by side for others; a failure holds nobody up", async () => {
  const turns = new Turns();
  const said: string[] = [];
  const open = Promise.withResolvers<void>();
  const first = turns.run("a", never, async () => {
    await open.promise;
    said.push("first");
    throw new Error("failed");
  });
  const second = turns.run("a", never, async () => void said.push("second"));
  await turns.run("b", never, async () => void said.push("beside"));
  expect(said).toEqual(["beside"]);
  open.resolve();
  await expect(first).rejects.toThrow("failed");
  await second;
  expect(said).toEqual(["beside", "first", "second"]);
});

test("who stops waiting does not let those behind it overtake the ones before", async () => {
  const turns = new Turns();
  const said: string[] = [];
  const open = Promise.withResolvers<void>();
  const first = turns.run("a", never, async () => {
    await open.promise;
    said.push("first");
  });
  const stop = new AbortController();
  const gone = turns.run("a", stop.signal, async () => void said.push("gone"));
  const third = turns.run("a", never, async () => void said.push("third"));
  stop.abort();
  await expect(gone).rejects.toThrow();
  await turns.run("b", never, async () => {});
  open.resolve();
  await Promise.all([first, third]);
  expect(said).toEqual(["first", "third"]);
});
