import { afterEach, describe, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { until } from "../../test/contract/lane.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol: "udp" });
  closing.push(() => fake.stop());
  return fake;
}

/** Of a port that nobody listens on. */
async function deadPort(): Promise<number> {
  const fake = await FakeSyslog.start({ protocol: "udp" });
  await fake.stop();
  return fake.port;
}

async function output(options: Record<string, unknown>): Promise<Output> {
  const made = await syslogOutput({ protocol: "udp", ...options });
  closing.push(() => made.close());
  return made;
}

const lines = (count: number) => Array.from({ length: count }, (_, n) => `{"n":${n}}`);

test.each(["rfc5424", "rfc3164", "loki"])("the longest entry fills a datagram (%s)", async (format) => {
  const fake = await start();
  const out = await output({ port: fake.port, format });
  expect(await writeLines(out, [`{"x":"${"y".repeat(70_000)}"}`, '{"n":1}'])).toEqual({});
  await until("both arrive", () => fake.messages.length === 2);
  expect(fake.messages[0]!.length).toBe(65_507);
  expect(fake.messages[0]!.toString().replace("\0", "")).toMatch(/y \[cut\]$/);
});

describe("where nobody listens", () => {
  test.each([1, 10, 200])("a write of %d fails, as far as the system tells", async (count) => {
    const out = await output({ port: await deadPort() });
    await expect(writeLines(out, lines(count))).rejects.toThrow("ECONNREFUSED");
    await expect(writeLines(out, lines(count))).rejects.toThrow("ECONNREFUSED");
  });
  test.each([1, 10, 200])("the next server gets what is written again (%d)", async (count) => {
    const good = await start();
    const out = await output({ host: [`127.0.0.1:${await deadPort()}`, `127.0.0.1:${good.port}`] });
    await expect(writeLines(out, lines(count))).rejects.toThrow("ECONNREFUSED");
    expect(await writeLines(out, lines(count))).toEqual({});
    await until("all arrive", () => good.messages.length === count);
  });
});

test("a server that cannot be sent to is named, and the next one used", async () => {
  const good = await start();
  // Without leave to broadcast the system refuses this one.
  const out = await output({ host: ["255.255.255.255:9", `127.0.0.1:${good.port}`] });
  await expect(writeLines(out, lines(2))).rejects.toThrow(/^255\.255\.255\.255: .*EACCES/);
  expect(await writeLines(out, lines(2))).toEqual({});
  await until("both arrive", () => good.messages.length === 2);
});

test.each(["udp", "tcp", "relp"])(
  "a name that means nothing is named, and the next server used (%s)",
  async (protocol) => {
    const fake = await FakeSyslog.start({ protocol: protocol as "udp" });
    closing.push(() => fake.stop());
    const nobody = await output({ protocol, host: "no-such-host.invalid" });
    await expect(writeLines(nobody, lines(1))).rejects.toThrow(/^no-such-host\.invalid(?::\d+)?: /);
    const out = await output({ protocol, host: ["no-such-host.invalid", `127.0.0.1:${fake.port}`] });
    // Over UDP the write is the attempt.
    if (protocol === "udp") await expect(writeLines(out, lines(2))).rejects.toThrow(/^no-such-host/);
    expect(await writeLines(out, lines(2))).toEqual({});
    await until("both arrive", () => fake.messages.length === 2);
  },
);

test("what is closed writes nothing", async () => {
  for (const protocol of ["udp", "tcp", "relp"] as const) {
    const fake = await FakeSyslog.start({ protocol });
    closing.push(() => fake.stop());
    const out = await output({ protocol, port: fake.port });
    await out.close();
    await expect(writeLines(out, lines(1))).rejects.toThrow("closed");
    expect(fake.connections).toBe(0);
  }
});
