/** Against a real rsyslog, which writes down what it understood: `RSYSLOG_UDP_PORT`, `_TCP_PORT`, `_TLS_PORT`, `_RELP_PORT`, `RSYSLOG_OUT`, `CERTS`. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/syslog/index.ts";
import { batchOf } from "../contract/records.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { until } from "../e2e/harness/until.ts";
import { canRestart, restart, service } from "./services.ts";
import { ENTRIES, expectAll, STALL_TIMEOUT, ship, stalled } from "./shipment.ts";

const rsyslog = service("rsyslog", [
  ...([
    "RSYSLOG_UDP_PORT",
    "RSYSLOG_TCP_PORT",
    "RSYSLOG_TLS_PORT",
    "RSYSLOG_RELP_PORT",
    "RSYSLOG_OUT",
    "CERTS",
  ] as const),
]);
const { env } = rsyslog;

interface Understood {
  readonly facilityText: string;
  readonly severityText: string;
  readonly hostname: string;
  readonly appName: string;
  readonly procid: string;
  readonly msgid: string;
  readonly structuredData: string;
  readonly msg: string;
  readonly timestamp: string;
}

const mark = () => statSync(env.RSYSLOG_OUT, { throwIfNoEntry: false })?.size ?? 0;
/** What rsyslog wrote since `from`; as text lines, the last one perhaps unfinished. */
function written(from: number): string[] {
  if (mark() <= from) return [];
  return readFileSync(env.RSYSLOG_OUT).subarray(from).toString("utf8").split("\n").slice(0, -1);
}
const understood = (from: number) => written(from).map((line) => JSON.parse(line) as Understood);
/** rsyslog writes control characters as #ooo, so the number is looked for in the text. */
const numbers = (from: number) =>
  written(from)
    .flatMap((line) => /\\"n\\":(\d+)/.exec(line)?.[1] ?? [])
    .map(Number);

describe.runIf(rsyslog.there)("a real rsyslog", () => {
  const pem = (name: string) => join(env.CERTS, name);
  const tls = (name: string) => ({ ca: pem("ca.crt"), cert: pem(`${name}.crt`), key: pem(`${name}.key`) });
  const ways: Record<string, Record<string, unknown>> = {
    udp: { protocol: "udp", port: env.RSYSLOG_UDP_PORT },
    tcp: { protocol: "tcp", port: env.RSYSLOG_TCP_PORT },
    "tcp, newlines": { protocol: "tcp", framing: "newline", port: env.RSYSLOG_TCP_PORT },
    tls: { protocol: "tls", port: env.RSYSLOG_TLS_PORT, tls: tls("client") },
    relp: { protocol: "relp", port: env.RSYSLOG_RELP_PORT },
  };
  const open: Output[] = [];
  afterEach(async () => {
    for (const out of open.splice(0)) await out.close();
  });

  async function output(options: Record<string, unknown>): Promise<Output> {
    const parsed = definition.options.parse({ host: "localhost", ...options });
    const fields = new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]);
    const context = { alias: "s", node: "node-1", version: "0", clock: systemClock, fields, emit: () => undefined };
    const made = await definition.create(parsed, context);
    open.push(made);
    return made;
  }
  const write = (out: Output, lines: string[]) =>
    out.write([batchOf(lines, { offset: 0 })], { id: "p", repeat: false }, AbortSignal.timeout(20_000));

  test.each(Object.keys(ways))("understands what was meant (%s)", async (way) => {
    const from = mark();
    const out = await output({
      ...ways[way],
      app_name: "dash",
      facility: "auth",
      structured_data: ["tag", "note", "chain_hash"],
    });
    const note = 'say "x" ] \\\\ é😀\nnext';
    const entry = {
      timestamp: "2026-02-01T09:00:17.123456+01:00",
      ...{ event: "auth.login", level: "error", pid: 42, note, text: "a\nb\u2028c", chain_hash: "ab12" },
    };
    // rsyslog shows a line break as #012; where newlines frame the messages it was never sent.
    const shown = note.replace(/["\\\]]/g, "\\$&").replace("\n", way === "tcp, newlines" ? " " : "#012");
    const lines = [JSON.stringify(entry), JSON.stringify({ n: 2, big: "é".repeat(32_000) }), '{"action":"delete"}'];
    expect(await write(out, lines)).toEqual({});
    const got = await until("all to be written", () => (written(from).length >= 3 ? understood(from) : undefined));
    expect(got[0]).toMatchObject({
      ...{
        facilityText: "auth",
        severityText: "err",
        hostname: "node-1",
        appName: "dash",
        procid: "42",
        msgid: "auth.login",
      },
      structuredData: `[audit@32473 tag="audit.test" note="${shown}" chain_hash="ab12"]`,
      msg: lines[0],
      timestamp: "2026-02-01T09:00:17.123456+01:00",
    });
    expect(got[1]!.msg).toBe(lines[1]);
    expect(got[1]!.msg.length).toBeGreaterThan(32_000);
    expect(got[2]).toMatchObject({ severityText: "warning", msgid: "delete", msg: lines[2] });
  });

  test.each(["udp", "tcp", "relp"])("original bytes arrive with their line breaks (%s)", async (way) => {
    const from = mark();
    const line = '{\r\n  "level": "critical",\n  "n": NaN\n}';
    expect(await write(await output({ ...ways[way], message: "original" }), [line])).toEqual({});
    const [got] = await until("it to be written", () => (written(from).length > 0 ? understood(from) : undefined));
    expect(got).toMatchObject({ severityText: "crit", msg: line.replaceAll("\r", "#015").replaceAll("\n", "#012") });
  });

  test("RFC 3164 is understood as well", async () => {
    const from = mark();
    await write(await output({ ...ways.tcp, format: "rfc3164", app_name: "dash" }), [
      '{"level":"warning","n":1,"pid":42}',
    ]);
    const [got] = await until("it to be written", () => (written(from).length > 0 ? understood(from) : undefined));
    expect(got).toMatchObject({ facilityText: "local0", severityText: "warning", hostname: "node-1", appName: "dash" });
    expect(got).toMatchObject({ procid: "42" });
    expect(got!.msg.trim()).toBe('{"level":"warning","n":1,"pid":42}');
  });

  test.each(["rogue", "expired", "wrongname"])(
    "a client certificate that is %s delivers nothing, and says so",
    async (name) => {
      const from = mark();
      const out = await output({ ...ways.tls, tls: tls(name) });
      await expect(write(out, ['{"n":1}'])).rejects.toThrow();
      expect(written(from)).toEqual([]);
    },
  );

  test("a server of another name, or of an unknown authority, gets nothing", async () => {
    const from = mark();
    await expect(
      write(await output({ ...ways.tls, tls: { ...tls("client"), server_name: "other.test" } }), ["{}"]),
    ).rejects.toThrow();
    await expect(
      write(await output({ ...ways.tls, tls: { ...tls("client"), ca: pem("rogue-ca.crt") } }), ["{}"]),
    ).rejects.toThrow();
    expect(written(from)).toEqual([]);
  });

  /** The highest number written so far. */
  const latest = (from: number) => numbers(from).reduce((most, n) => Math.max(most, n), -1);

  test.each(["tcp", "tls", "relp"])(
    "the way is cut and the agent killed in the middle: all arrive (%s)",
    async (way) => {
      const from = mark();
      const cut = await Cuttable.to(`http://127.0.0.1:${ways[way]!.port}`);
      await ship({
        output: { name: "syslog", host: "localhost", ...ways[way], port: new URL(cut.url).port },
        count: () => (mark() > from ? ENTRIES : 0),
        trouble: async () => {
          await cut.cut();
          const before = latest(from);
          await cut.mend();
          // What the way held is in the agent's memory until it was written again (decision 8): killed before, it would be lost.
          const beyond = Math.min(before + 1_000, ENTRIES - 1);
          if (way !== "relp") await until("what comes after it", () => latest(from) >= beyond);
        },
        kill: true,
      });
      await until("all to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
      expectAll(numbers(from), "at least once");
    },
  );

  test.each(["tcp", "tls", "relp"])("the way hangs in the middle: all arrive (%s)", async (way) => {
    const from = mark();
    const hangs = await Cuttable.to(`http://127.0.0.1:${ways[way]!.port}`);
    await ship({
      output: {
        name: "syslog",
        host: "localhost",
        ...ways[way],
        port: new URL(hangs.url).port,
        timeout: STALL_TIMEOUT,
      },
      count: () => (mark() > from ? ENTRIES : 0),
      trouble: () => stalled(hangs),
    });
    await until("all to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
    expectAll(numbers(from), "at least once");
  });

  test.runIf(canRestart("rsyslog")).each(["tcp", "tls", "relp"])(
    "it is restarted in the middle: all arrive (%s)",
    async (way) => {
      const from = mark();
      await ship({
        output: { name: "syslog", host: "localhost", ...ways[way] },
        count: () => (mark() > from ? ENTRIES : 0),
        // As a service manager does it: what it has read, it writes.
        trouble: () => restart("rsyslog", Number(ways[way]!.port), { signal: "SIGTERM" }),
      });
      await until("all to be written", () => new Set(numbers(from)).size === ENTRIES, { timeoutMs: 60_000 });
      expectAll(numbers(from), "at least once");
    },
  );
});
