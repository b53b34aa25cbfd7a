/** Every output that speaks HTTP goes through the proxy that the environment names, with its own authority and server name inside. */
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { selfSigned } from "../../test/fakes/certificate.ts";
import { FakeElasticsearch } from "../../test/fakes/elasticsearch.ts";
import { FakeSink } from "../../test/fakes/http-sink.ts";
import { FakeProxy } from "../../test/fakes/proxy.ts";
import { FakeS3 } from "../../test/fakes/s3.ts";
import { FakeSplunk } from "../../test/fakes/splunk.ts";
import elasticsearch from "../elasticsearch/index.ts";
import http from "../http/index.ts";
import s3 from "../s3/index.ts";
import splunk from "../splunk-hec/index.ts";

const NAMES = ["HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"];
const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function environment(values: Record<string, string>): void {
  const before = NAMES.map((name) => [name, process.env[name]] as const);
  closing.push(() => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  for (const name of NAMES) delete process.env[name];
  Object.assign(process.env, values);
}

const folder = mkdtempSync(join(tmpdir(), "proxy-test-"));
closing.push(() => undefined);
const { cert, key } = selfSigned("collector.test");
const ca = join(folder, "ca.pem");
writeFileSync(ca, cert);
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));

async function start<T extends { stop(): Promise<void> }>(server: Promise<T>): Promise<T> {
  const started = await server;
  closing.push(() => started.stop());
  return started;
}

async function probe(definition: AnyOutputDefinition, options: Record<string, unknown>): Promise<void> {
  const parsed = definition.options.parse(options);
  const fields = new Scanner(definition.fields?.(parsed) ?? []);
  const context = { alias: "o", node: "n", version: "0", clock: systemClock, fields, emit: () => undefined };
  const out = await definition.create(parsed, context);
  closing.push(() => out.close());
  await out.probe(AbortSignal.timeout(10_000));
}

const tls = { ca, server_name: "collector.test" };
const keys = { bucket: "archive", force_path_style: true, access_key_id: "a", secret_access_key: "b" };
const cases: Record<
  string,
  () => Promise<{ definition: AnyOutputDefinition; options: Record<string, unknown>; port: number }>
> = {
  async elasticsearch() {
    const fake = await start(FakeElasticsearch.start({ tls: { cert, key } }));
    return { definition: elasticsearch, options: { url: fake.url, tls }, port: fake.port };
  },
  async splunk_hec() {
    const fake = await start(FakeSplunk.start({ token: "t", tls: { cert, key } }));
    return { definition: splunk, options: { url: fake.url, token: "t", tls }, port: fake.port };
  },
  async http() {
    const fake = await start(FakeSink.start({ tls: { cert, key } }));
    return { definition: http, options: { url: `${fake.url}/in`, tls }, port: fake.port };
  },
  async s3() {
    const fake = await start(FakeS3.start("archive", { cert, key }));
    return { definition: s3, options: { endpoint: fake.url, ...keys, tls }, port: fake.port };
  },
};

describe.each(Object.keys(cases))("%s", (name) => {
  test("goes through HTTPS_PROXY, by a tunnel, verified at its end", async () => {
    const proxy = await start(FakeProxy.start());
    environment({ HTTPS_PROXY: `http://user:pass@${proxy.host}` });
    const { definition, options, port } = await cases[name]!();
    await probe(definition, options);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT 127.0.0.1:${port}`]));
    expect(proxy.credentials[0]).toBe(`Basic ${Buffer.from("user:pass").toString("base64")}`);
    const wrong = { ...options, tls: { ...tls, server_name: "other.test" } };
    await expect(probe(definition, wrong)).rejects.toThrow(/other\.test|altnames/i);
  });

  test("needs no scheme in the proxy's address", async () => {
    const proxy = await start(FakeProxy.start());
    environment({ HTTPS_PROXY: proxy.host });
    const { definition, options, port } = await cases[name]!();
    await probe(definition, options);
    expect(new Set(proxy.asked)).toEqual(new Set([`CONNECT 127.0.0.1:${port}`]));
  });

  test("leaves out what NO_PROXY names", async () => {
    const proxy = await start(FakeProxy.start());
    environment({ https_proxy: `http://${proxy.host}`, no_proxy: "127.0.0.1" });
    const { definition, options } = await cases[name]!();
    await probe(definition, options);
    expect(proxy.asked).toEqual([]);
  });

  test("does not take a proxy that is there for plain http alone", async () => {
    const proxy = await start(FakeProxy.start());
    environment({ HTTP_PROXY: `http://${proxy.host}` });
    const { definition, options } = await cases[name]!();
    await probe(definition, options);
    expect(proxy.asked).toEqual([]);
  });

  test("says what is wrong with a proxy, without its password", async () => {
    environment({ HTTPS_PROXY: "http://user:pa55word@127.0.0.1:9" });
    const { definition, options } = await cases[name]!();
    const error = await probe(definition, options).catch((reason: unknown) => String(reason));
    expect(error).toMatch(/ECONNREFUSED|refused|proxy/i);
    expect(error).not.toContain("pa55word");
  });
});

test("plain http is handed to HTTP_PROXY, which sees where it goes, and speaks for itself when it cannot", async () => {
  const proxy = await start(FakeProxy.start());
  const fake = await start(FakeSink.start());
  environment({ HTTP_PROXY: `http://${proxy.host}` });
  await probe(http, { url: `${fake.url}/in?a=b` });
  expect(proxy.asked).toEqual([`GET ${fake.url}/in?a=b`]);
  environment({ http_proxy: `http://user:pa55word@127.0.0.1:9` });
  await expect(probe(http, { url: "http://collector.test/in" })).rejects.toThrow(/ECONNREFUSED 127\.0\.0\.1:9$/);
});

test("a proxy that says nothing is given up like a server that cannot be reached", async () => {
  const asked = Promise.withResolvers<Socket>();
  const proxy = createServer((socket) => socket.once("data", () => asked.resolve(socket))).listen(0, "127.0.0.1");
  await once(proxy, "listening");
  closing.push(() => proxy.close());
  environment({ HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  closing.push(() => vi.useRealTimers());
  const probing = probe(http, { url: "https://collector.test/in" });
  const said = expect(probing).rejects.toThrow("no connection within 10 s");
  const socket = await asked.promise;
  closing.push(() => socket.destroy());
  vi.advanceTimersByTime(10_000);
  await said;
});
