import { once } from "node:events";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { batchOf } from "../../test/contract/records.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";
import { serveTcp } from "../../test/fakes/tcp.ts";
import { Connector } from "./connect.ts";
import { RelpTransport } from "./relp.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol: "relp" });
  closing.push(() => fake.stop());
  return fake;
}

/** Answers its port. */
async function serve(meet: (socket: Socket) => void): Promise<number> {
  const server = await serveTcp(meet);
  closing.push(() => server.stop());
  return server.port;
}

/** A server that is asked for its answer, whole: `<number> rsp …`. */
function answering(answer: (number: string, command: string, data: string, socket: Socket) => string | undefined) {
  return serve((socket) =>
    socket.on("data", (chunk) => {
      for (const [, number, command, data] of chunk.toString().matchAll(/^(\d+) (open|syslog|close) \d+ ?(.*)$/gm)) {
        const text = answer(number!, command!, data!, socket);
        if (text !== undefined && !socket.destroyed) socket.write(text);
      }
    }),
  );
}
const yes = (number: string) => `${number} rsp 6 200 OK\n`;

async function output(options: Record<string, unknown>): Promise<Output> {
  const made = await syslogOutput({ protocol: "relp", ...options });
  closing.push(() => made.close());
  return made;
}

const write = (out: Output, line: string) => writeLines(out, [line]);
const numbered = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}`);

test.each([
  ["nothing", "0"],
  ["another code", "9 500 nope!"],
  ["what only begins like it", "7 2000 OK"],
])("an answer that is not 200 is no acknowledgement: %s", async (_, answer) => {
  const port = await serve((socket) =>
    socket.on("data", (chunk) => {
      for (const [, number, command] of chunk.toString().matchAll(/^(\d+) (open|syslog|close) /gm))
        socket.write(`${number} rsp ${command === "open" ? "6 200 OK" : answer}\n`);
    }),
  );
  const out = await output({ port });
  await expect(write(out, '{"n":1}')).rejects.toThrow("the server answered");
});

test("of a server that goes on talking nothing is kept", async () => {
  let server: Socket | undefined;
  const port = await serve((socket) => {
    server = socket;
    socket.on("data", (chunk) => {
      for (const [, number] of chunk.toString().matchAll(/^(\d+) (?:open|syslog|close) /gm))
        socket.write(`${number} rsp 6 200 OK\n`);
    });
  });
  const out = await output({ port });
  await write(out, '{"n":1}');
  const closed = once(server!, "close").catch(() => undefined);
  server!.write("x".repeat(1 << 20));
  await closed;
  expect(await write(out, '{"n":2}')).toEqual({});
});

test("one acknowledgement of many that is missing fails the write", async () => {
  const port = await serve((socket) =>
    socket.on("data", (chunk) => {
      for (const [, number] of chunk.toString().matchAll(/^(\d+) (?:open|syslog|close) /gm))
        if (number !== "5") socket.write(`${number} rsp 6 200 OK\n${number} rsp 6 200 OK\n`);
    }),
  );
  const out = await output({ port });
  const lines = Array.from({ length: 10 }, (_, n) => `{"n":${n}}`);
  await expect(writeLines(out, lines, 300)).rejects.toThrow();
});

test("what is not acknowledged is not delivered", async () => {
  const fake = await start();
  const out = await output({ port: fake.port });
  await write(out, '{"n":"one"}');
  await fake.fail("hang");
  const stop = new AbortController();
  const waiting = out.write([batchOf(['{"n":"two"}'])], { id: "p", repeat: false }, stop.signal);
  stop.abort(new Error("too long"));
  await expect(waiting).rejects.toThrow("too long");
});

test("a message that is refused goes again alone; what is acknowledged is delivered", async () => {
  const port = await answering((number, _, data) =>
    data.includes('{"n":3}') ? `${number} rsp 8 500 full\n` : yes(number),
  );
  const out = await output({ port });
  expect(await writeLines(out, numbered(10))).toEqual({
    failed: new Map([[3, { action: "retry", reason: "the server answered 500 full" }]]),
  });
  // The session goes on.
  expect(await write(out, '{"n":1}')).toEqual({});
  await expect(write(out, '{"n":3}')).rejects.toThrow("the server answered 500 full");
});

test.each(["end", "reset", "serverclose"])(
  "what was acknowledged before the session ended is not sent again (%s)",
  async (how) => {
    let over = false;
    const port = await answering((number, command, data, socket) => {
      if (over) return undefined;
      if (command !== "syslog" || !data.includes('{"n":5}')) return yes(number);
      over = true;
      if (how === "serverclose") return "0 serverclose 0\n";
      // Behind the answers before it.
      setImmediate(() => (how === "end" ? socket.end() : socket.resetAndDestroy()));
      return undefined;
    });
    const out = await output({ port });
    const result = await writeLines(out, numbered(10)).catch(() => undefined);
    // A reset may overtake the answers before it; then all go again.
    if (how !== "reset" || result !== undefined)
      expect([...(result?.failed?.keys() ?? [])].slice(-5)).toEqual([5, 6, 7, 8, 9]);
    if (how !== "reset") expect(result?.failed?.size).toBe(5);
  },
);

test("a server without the syslog command is none", async () => {
  const offers = "200 OK\nrelp_version=0\ncommands=eventlog";
  const port = await answering((number) => `${number} rsp ${offers.length} ${offers}\n`);
  const out = await output({ port });
  await expect(write(out, '{"n":1}')).rejects.toThrow("the server takes no syslog messages");
});

test("answers may come in any pieces and any order", async () => {
  const held: string[] = [];
  const port = await answering((number, command, _, socket) => {
    if (command !== "syslog") return yes(number);
    held.unshift(yes(number));
    if (held.length < 5) return undefined;
    // A byte at a time.
    void (async () => {
      for (const byte of held.splice(0).join("")) {
        await new Promise((resolve) => socket.write(byte, resolve));
      }
    })();
    return undefined;
  });
  expect(await writeLines(await output({ port }), numbered(5))).toEqual({});
});

test("behind the last number comes 1", async () => {
  const numbers: number[] = [];
  const port = await answering((number) => {
    numbers.push(Number(number));
    return yes(number);
  });
  const transport = new RelpTransport(new Connector([{ host: "127.0.0.1", port }], undefined, () => 0), 7);
  closing.push(() => transport.close());
  const bytes = Buffer.from("abcd");
  for (let i = 0; i < 5; i++)
    expect(await transport.send({ bytes, ends: [1, 2, 3, 4] }, AbortSignal.timeout(10_000))).toEqual(new Map());
  expect(numbers).toEqual(Array.from({ length: 21 }, (_, i) => (i % 7) + 1));
});
