import { spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { InputContext } from "../../agent/api/context.ts";
import type { AgentEvent } from "../../agent/api/events.ts";
import { stdin as plugin } from "./index.ts";
import { StdinInput } from "./stdin.ts";

const options = { parser: "json", maxLineBytes: 1 << 20 } as const;

function context(positions: Record<string, string> = {}, events: AgentEvent[] = []): InputContext {
  return {
    alias: "stdin",
    node: "n",
    version: "0",
    clock: systemClock,
    emit: (event) => events.push(event),
    tag: "t",
    dataDirId: "d",
    positions: new Map(Object.entries(positions)),
    once: false,
  };
}

async function collect(input: StdinInput): Promise<RecordBatch[]> {
  const batches: RecordBatch[] = [];
  for await (const batch of input.read()) batches.push(batch);
  return batches;
}
const texts = (batches: RecordBatch[]) =>
  batches.flatMap((b) => Array.from({ length: b.count }, (_, i) => b.bytes(i).toString()));
const ids = (batches: RecordBatch[]) => batches.flatMap((b) => Array.from({ length: b.count }, (_, i) => b.id(i)));
const stored = (batches: RecordBatch[]) => batches.at(-1)!.positions[0]!;

describe("stdin", () => {
  test("its own example is valid; problems are named", () => {
    const parsed = plugin.options.parse(plugin.example);
    expect(parsed).toMatchObject({ parser: "json", max_line_bytes: 1 << 20 });
    expect(plugin.check!(parsed).errors).toEqual([]);
    const wrong = plugin.options.parse({ parser: "cri", multiline: "json", max_line_bytes: "10" });
    expect(plugin.check!(wrong).errors!.map((e) => e.path[0])).toEqual(["multiline", "max_line_bytes"]);
    expect(plugin.options.safeParse({ parzer: "json" }).success).toBe(false);
  });

  test("lines become records with running numbers, the last one without its newline", async () => {
    const stream = Readable.from([Buffer.from('{"a":1}\n{"a"'), Buffer.from(":2}\r\n\nlast")], { objectMode: false });
    const batches = await collect(new StdinInput(stream, options, context()));
    expect(texts(batches)).toEqual(['{"a":1}', '{"a":2}', "last"]);
    expect(batches.flatMap((b) => [...b.offsets.subarray(0, b.count)])).toEqual([0, 1, 2]);
    expect(stored(batches)).toEqual({ key: "sequence", value: "3" });
    expect(batches[0]).toMatchObject({ tag: "t", source: { input: "stdin", group: "stdin" } });
    expect(batches[0]!.source.id).toHaveLength(22);
  });

  test("no id comes twice after a restart, nor from another data directory or alias", async () => {
    const read = async (from: InputContext) =>
      collect(new StdinInput(Readable.from([Buffer.from("a\nb\n")]), options, from));
    const first = await read(context());
    const second = await read(context({ sequence: stored(first).value! }));
    const other = await read({ ...context(), alias: "other" });
    const elsewhere = await read({ ...context(), dataDirId: "e" });
    const all = [first, second, other, elsewhere].flatMap(ids);
    expect(new Set(all).size).toBe(8);
    expect(stored(second).value).toBe("4");
    expect(ids(await read(context()))).toEqual(ids(first));
  });

  test("writes within a moment are one batch", async () => {
    const stream = new PassThrough();
    const input = new StdinInput(stream, options, context());
    const reading = collect(input);
    for (let i = 0; i < 20; i++) {
      stream.write(`line ${i}\n`);
      await new Promise(setImmediate);
    }
    stream.end();
    const batches = await reading;
    expect(texts(batches)).toHaveLength(20);
    expect(batches.length).toBeLessThan(20);
  });

  test("a record arrives without the stream's end", async () => {
    const stream = new PassThrough();
    const input = new StdinInput(stream, options, context());
    const batches = input.read();
    stream.write("one\ntw");
    const { value } = await batches.next();
    expect(texts([value as RecordBatch])).toEqual(["one"]);
    stream.end("o\n");
    expect(texts([(await batches.next()).value as RecordBatch])).toEqual(["two"]);
    expect((await batches.next()).done).toBe(true);
  });

  test("stop ends it, with what had arrived; also under a writer that never pauses", async () => {
    const quiet = new PassThrough();
    const input = new StdinInput(quiet, options, context());
    quiet.write("a\nunfinished");
    const reading = collect(input);
    input.stop();
    expect(texts(await reading)).toEqual(["a", "unfinished"]);

    const busy = new Readable({ read: (size) => void setImmediate(() => busy.push(Buffer.alloc(size, "yes\n"))) });
    const endless = new StdinInput(busy, options, context());
    let records = 0;
    for await (const batch of endless.read()) {
      records += batch.count;
      endless.stop();
    }
    expect(records).toBeGreaterThan(0);
    await endless.close();
  });

  test("close ends a waiting read, before and after, twice", async () => {
    const stream = new PassThrough();
    const input = new StdinInput(stream, options, context());
    const reading = collect(input);
    await input.close();
    await input.close();
    expect(await reading).toEqual([]);
    expect(stream.eventNames()).not.toContain("readable");

    const next = collect(new StdinInput(stream, options, context()));
    stream.end("for the next\n");
    expect(texts(await next)).toEqual(["for the next"]);
    expect(await collect(new StdinInput(stream, options, context()))).toEqual([]);
  });

  test("a read error comes after what was read", async () => {
    const stream = new PassThrough();
    const input = new StdinInput(stream, options, context());
    const batches = input.read();
    stream.write("a\nb");
    expect(texts([(await batches.next()).value as RecordBatch])).toEqual(["a"]);
    stream.destroy(new Error("EIO: gone"));
    expect(texts([(await batches.next()).value as RecordBatch])).toEqual(["b"]);
    await expect(batches.next()).rejects.toThrow("EIO: gone");
  });

  test("two inputs on one stream would tear lines apart: the second says so", async () => {
    const stream = new PassThrough();
    const first = collect(new StdinInput(stream, options, context()));
    await expect(collect(new StdinInput(stream, options, context()))).rejects.toThrow("already read");
    stream.end("a\n");
    expect(texts(await first)).toEqual(["a"]);
  });

  test("long lines travel cut and are named", async () => {
    const events: AgentEvent[] = [];
    const stream = Readable.from([Buffer.from(`a\n${"x".repeat(5000)}\nb\n`)]);
    const batches = await collect(
      new StdinInput(stream, { ...options, maxLineBytes: 1024 }, context({ sequence: "7" }, events)),
    );
    expect(texts(batches).map((t) => t.length)).toEqual([1, 1024, 1]);
    expect(events).toEqual([{ is: "line_cut", input: "stdin", path: "stdin", offset: 8, length: 5000 }]);
  });

  test("lines longer than a read pass whole up to the limit", async () => {
    const lines = [10, 70_000, 5, 300_000, 1 << 20, 0, 65_536, 3].map((n, i) => String(i).repeat(n)).filter((l) => l);
    const source = Buffer.from(lines.join("\n"));
    const pieces: Buffer[] = [];
    for (let at = 0; at < source.length; at += 8191) pieces.push(source.subarray(at, at + 8191));
    const batches = await collect(new StdinInput(Readable.from(pieces, { objectMode: false }), options, context()));
    expect(texts(batches).map((t) => [t[0], t.length])).toEqual(lines.map((l) => [l[0], l.length]));
  });

  test("once it is stopped, an open pipe does not keep the process", async () => {
    const script = `
      import { StdinInput } from ${JSON.stringify(new URL("./stdin.ts", import.meta.url).href)};
      const context = { alias: "stdin", clock: { now: () => 0 }, emit() {}, tag: "t", dataDirId: "d", positions: new Map() };
      const input = new StdinInput(process.stdin, { parser: "json", maxLineBytes: 1024 }, context);
      for await (const batch of input.read()) {
        process.stdout.write(batch.bytes(0));
        input.stop();
      }
      await input.close();`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    child.stdin.write("hello\n");
    const [said, exit] = await Promise.all([text(child.stdout), once(child, "exit")]);
    expect([said, ...exit]).toEqual(["hello", 0, null]);
  });

  test("a real pipe, its bytes untouched", async () => {
    const script = `
      const line = Buffer.concat([Buffer.from('{"k":"é€😀'), Buffer.from([0xff, 0, 0xfe]), Buffer.alloc(400, 120), Buffer.from('"}\\n')]);
      const some = Buffer.concat(Array.from({ length: 1000 }, () => line));
      let left = 100;
      const more = () => { while (left-- > 0) if (!process.stdout.write(some)) return process.stdout.once("drain", more); };
      more();`;
    const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
    const exit = once(child, "exit");
    const batches = await collect(new StdinInput(child.stdout, options, context()));
    expect(await exit).toEqual([0, null]);
    const line = Buffer.concat([
      Buffer.from('{"k":"é€😀'),
      Buffer.from([0xff, 0, 0xfe]),
      Buffer.alloc(400, 120),
      Buffer.from('"}'),
    ]);
    expect(batches.reduce((n, b) => n + b.count, 0)).toBe(100_000);
    expect(
      batches.every((b) => Array.from({ length: b.count }, (_, i) => b.bytes(i).equals(line)).every(Boolean)),
    ).toBe(true);
  });
});
