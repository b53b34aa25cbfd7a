import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { until } from "../../test/contract/lane.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";
import { serveTcp } from "../../test/fakes/tcp.ts";
import { bodyPool } from "../shared/bodies.ts";
import { ByteWriter } from "../shared/writer.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(protocol: "tcp" | "relp" = "tcp"): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol });
  closing.push(() => fake.stop());
  return fake;
}

/** Time passes where a test says so. */
let passed = 0;
const clock = { now: () => Date.now(), monotonic: () => performance.now() + passed };

async function output(options: Record<string, unknown>): Promise<Output> {
  const made = await syslogOutput(options, clock);
  closing.push(() => made.close());
  return made;
}

/** Answers its port. */
async function serve(meet: (socket: Socket) => void): Promise<number> {
  const server = await serveTcp(meet);
  closing.push(() => server.stop());
  return server.port;
}

const write = (out: Output, line: string) => writeLines(out, [line]);
const goesThrough = (out: Output, line: string) =>
  write(out, line).then(
    () => true,
    () => false,
  );
const seen = (fake: FakeSyslog, text: string) => fake.messages.filter((message) => message.includes(text)).length;

test("what was sent lately is sent again when the connection breaks, without a further write", async () => {
  const fake = await start();
  const out = await output({ port: fake.port });
  await write(out, '{"n":"first"}');
  await until("it arrived", () => seen(fake, "first") === 1);
  await fake.restart();
  await until("it came again", () => seen(fake, "first") === 2);
});

test("what may be sent again keeps memory of its own size, which is used again only when it will not be", async () => {
  const fake = await start();
  const out = await output({ port: fake.port });
  /** The memory that the next write takes, and whether it is free. */
  let memory = new ByteWriter();
  const empty = () => {
    for (memory = bodyPool.take(); memory.buffer.length > 0; ) memory = bodyPool.take();
    memory.ensure(1);
    bodyPool.give(memory);
  };
  const free = () => {
    const taken = bodyPool.take();
    bodyPool.give(taken);
    return taken === memory;
  };
  empty();
  await write(out, '{"n":"little"}');
  expect(free()).toBe(true);
  await write(out, `{"n":"much","x":"${"x".repeat(500_000)}"}`);
  expect(free()).toBe(false);
  await fake.restart();
  await until("both came again", () => seen(fake, "little") === 2 && seen(fake, "much") === 2);
  // Its turn comes when the connection has proved alive.
  await write(out, '{"n":"after"}');
  expect(free()).toBe(false);
  const waits = memory;
  empty();
  passed += 20_000;
  await write(out, '{"n":"next"}');
  memory = waits;
  expect(free()).toBe(true);
});

test("where the first server is down the next one is used", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ host: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`] });
  await write(out, '{"n":"one"}');
  await until("the first has it", () => seen(first, "one") === 1);
  await first.stop();
  await until("the write goes through", () => goesThrough(out, '{"n":"two"}'));
  await until("the second has it", () => seen(second, "two") > 0);
});

/** What takes connections and no messages: it closes them at the first byte, or answers nothing more. */
const useless: Record<string, (protocol: string) => (socket: Socket) => void> = {
  resets: () => (socket) => socket.once("data", () => socket.resetAndDestroy()),
  hangs: (protocol) => (socket) => {
    if (protocol === "tcp") socket.pause();
    else socket.once("data", () => socket.write("1 rsp 6 200 OK\n"));
  },
};

test.each(["tcp", "relp"] as const)(
  "a server that takes no message is left for the next one (%s)",
  async (protocol) => {
    for (const [name, meet] of Object.entries(useless)) {
      const port = await serve(meet(protocol));
      const good = await start(protocol);
      const out = await output({ protocol, host: [`127.0.0.1:${port}`, `127.0.0.1:${good.port}`] });
      // More than both systems' buffers hold, so that a server that does not read is noticed.
      const line = `{"n":"${name}","filler":"${"x".repeat(name === "hangs" && protocol === "tcp" ? 12_000_000 : 1)}"}`;
      await expect(writeLines(out, [line], 1_000), name).rejects.toThrow();
      expect(await writeLines(out, [line]), name).toEqual({});
      await until("the good one has it", () => seen(good, name) > 0);
    }
  },
);

test("of what takes every connection and has nobody behind it, nothing counts as delivered", async () => {
  // As a balancer does: at once, and so late that a first write has gone through.
  for (const how of ["reset", "end"])
    for (const lateMs of [0, 30, 250]) {
      let connections = 0;
      const port = await serve((socket) => {
        connections++;
        setTimeout(() => (how === "end" ? socket.end() : socket.resetAndDestroy()), lateMs);
      });
      const out = await output({ port });
      if (lateMs > 100) {
        expect(await write(out, '{"n":0}')).toEqual({});
        await until("it broke", () => connections > 1);
      }
      for (let n = 1; n < 4; n++) await expect(write(out, `{"n":${n}}`), `${how} ${lateMs}`).rejects.toThrow();
      await out.close();
    }
});

test("a window is kept whole until it has been read, however many connections it takes", async () => {
  const fake = await start();
  const out = await output({ port: fake.port });
  await write(out, `{"n":"large","filler":"${"x".repeat(12_000_000)}"}`);
  await fake.restart();
  await until("the connection's end was seen", () =>
    goesThrough(out, `{"n":"small","filler":"${"x".repeat(5_000_000)}"}`),
  );
  fake.messages.length = 0;
  await fake.restart();
  await until("all came again", () => seen(fake, '"small"') > 0 && seen(fake, '"large"') > 0);
});

test("what was read long ago is not sent again by a server that ends its connections", async () => {
  const sockets: Socket[] = [];
  const received: string[] = [];
  const port = await serve((socket) => {
    sockets.push(socket);
    socket.on("data", (chunk) => received.push(String(chunk)));
  });
  const out = await output({ port, structured_data: [] });
  await write(out, '{"n":"old"}');
  passed += 11_000;
  await write(out, '{"n":"new"}');
  passed += 9_000;
  sockets[0]!.end();
  await until("what is new came again", () => received.filter((text) => text.includes("new")).length === 2);
  expect(received.filter((text) => text.includes("old"))).toHaveLength(1);
  await out.probe(AbortSignal.timeout(10_000));
  // Silence proves nothing: here nothing was acknowledged since.
  passed += 60_000;
  sockets[1]!.resetAndDestroy();
  await until("it came once more", () => received.filter((text) => text.includes("new")).length === 3);
  await out.probe(AbortSignal.timeout(10_000));
  // An end does.
  passed += 60_000;
  sockets[2]!.end();
  await once(sockets[2]!, "close");
  await until("the last goes through", () => goesThrough(out, '{"n":"last"}'));
  await until("it arrived", () => received.some((text) => text.includes("last")));
  expect(received.filter((text) => text.includes("new"))).toHaveLength(3);
});

test.each(["tcp", "relp"] as const)("the first server has its place again when it is back (%s)", async (protocol) => {
  const [first, second] = [await start(protocol), await start(protocol)];
  await first.stop();
  const out = await output({ protocol, host: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`] });
  await write(out, '{"n":"one"}');
  await until("the second has it", () => seen(second, "one") === 1);
  passed += 61_000;
  // Not back yet: nothing is lost by looking, and the next look is later.
  expect(await write(out, '{"n":"two"}')).toEqual({});
  await until("the second has it", () => seen(second, "two") === 1);
  await first.heal();
  passed += 61_000;
  expect(await write(out, '{"n":"three"}')).toEqual({});
  await until("the second has it", () => seen(second, "three") === 1);
  passed += 61_000;
  expect(await write(out, '{"n":"four"}')).toEqual({});
  await until("the first has it", () => seen(first, "four") === 1);
  // The second had read all it was sent.
  expect(seen(first, "three") + seen(second, "four")).toBe(0);
});
