import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { until } from "../../test/contract/lane.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(protocol: "tcp" | "relp" = "tcp"): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol });
  closing.push(() => fake.stop());
  return fake;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const made = await syslogOutput(options);
  closing.push(() => made.close());
  return made;
}

/** A server that does with its connections as told. Answers its port. */
async function serve(meet: (socket: Socket) => void): Promise<number> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => undefined);
    meet(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const write = (out: Output, line: string) => writeLines(out, [line]);
const seen = (fake: FakeSyslog, text: string) => fake.messages.filter((message) => message.includes(text)).length;

test("what was sent lately is sent again when the connection breaks, without a further write", async () => {
  const fake = await start();
  const out = await output({ port: fake.port });
  await write(out, '{"n":"first"}');
  await until("it arrived", () => seen(fake, "first") === 1);
  await fake.restart();
  await until("it came again", () => seen(fake, "first") === 2);
});

test("where the first server is down the next one is used", async () => {
  const [first, second] = [await start(), await start()];
  const out = await output({ host: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`] });
  await write(out, '{"n":"one"}');
  await until("the first has it", () => seen(first, "one") === 1);
  await first.stop();
  await until("the write goes through", () =>
    write(out, '{"n":"two"}').then(
      () => true,
      () => false,
    ),
  );
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

test.each([
  ["nothing", "0"],
  ["another code", "9 500 nope!"],
  ["what only begins like it", "7 2000 OK"],
])("RELP: an answer that is not 200 is no acknowledgement: %s", async (_, answer) => {
  const port = await serve((socket) =>
    socket.on("data", (chunk) => {
      for (const [, number, command] of chunk.toString().matchAll(/^(\d+) (open|syslog|close) /gm))
        socket.write(`${number} rsp ${command === "open" ? "6 200 OK" : answer}\n`);
    }),
  );
  const out = await output({ port, protocol: "relp" });
  await expect(write(out, '{"n":1}')).rejects.toThrow("the server answered");
});

test("RELP: of a server that goes on talking nothing is kept", async () => {
  let server: Socket | undefined;
  const port = await serve((socket) => {
    server = socket;
    socket.on("data", (chunk) => {
      for (const [, number] of chunk.toString().matchAll(/^(\d+) (?:open|syslog|close) /gm))
        socket.write(`${number} rsp 6 200 OK\n`);
    });
  });
  const out = await output({ port, protocol: "relp" });
  await write(out, '{"n":1}');
  const closed = once(server!, "close").catch(() => undefined);
  server!.write("x".repeat(1 << 20));
  await closed;
  expect(await write(out, '{"n":2}')).toEqual({});
});

test("RELP: one acknowledgement of many that is missing fails the write", async () => {
  const port = await serve((socket) =>
    socket.on("data", (chunk) => {
      for (const [, number] of chunk.toString().matchAll(/^(\d+) (?:open|syslog|close) /gm))
        if (number !== "5") socket.write(`${number} rsp 6 200 OK\n${number} rsp 6 200 OK\n`);
    }),
  );
  const out = await output({ port, protocol: "relp" });
  const lines = Array.from({ length: 10 }, (_, n) => `{"n":${n}}`);
  await expect(writeLines(out, lines, 300)).rejects.toThrow();
});

test("RELP: what is not acknowledged is not delivered", async () => {
  const fake = await start("relp");
  const out = await output({ port: fake.port, protocol: "relp" });
  await write(out, '{"n":"one"}');
  await fake.fail("hang");
  const stop = new AbortController();
  const waiting = out.write([batchOf(['{"n":"two"}'])], { id: "p", repeat: false }, stop.signal);
  stop.abort(new Error("too long"));
  await expect(waiting).rejects.toThrow("too long");
});
