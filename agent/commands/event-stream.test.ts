import { expect, test } from "vitest";
import { eventsOf, type ServerEvent } from "./event-stream.ts";

async function read(text: string, size: number): Promise<ServerEvent[]> {
  const bytes = Buffer.from(text);
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const events: ServerEvent[] = [];
  for await (const event of eventsOf(chunks())) events.push(event);
  return events;
}

test.each([1, 2, 3, 7, 1_000])(
  "events, in chunks of %i bytes: line breaks and characters cut anywhere",
  async (size) => {
    const text =
      'event: pipeline\r\ndata: {"a":"日本"}\r\n\r\n: a comment\ndata: one\ndata:two\n\nevent: none\n\ndata: never ended';
    expect(await read(text, size)).toEqual([
      { event: "pipeline", data: '{"a":"日本"}' },
      { event: "message", data: "one\ntwo" },
    ]);
  },
);
