import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import { entries } from "../../test/contract/records.ts";
import { selfSigned } from "../../test/fakes/certificate.ts";
import { actions, batchOf, free, output, start, write } from "../../test/fakes/elasticsearch-output.ts";
import definition from "./index.ts";

test("the request is what it should be: one POST of plain NDJSON, with a filter and nothing else", async () => {
  const fake = await start();
  const batch = batchOf(entries(2));
  await write(await output({ url: `${fake.url}/prefix/`, username: "u", password: "pä" }), [batch]);
  const [request, ...others] = fake.requests;
  expect(others).toEqual([]);
  expect(request).toMatchObject({ method: "POST", path: "/prefix/_bulk" });
  expect(Object.fromEntries(request!.query)).toEqual({
    filter_path: "errors,items.*.status,items.*.error,items.*.failure_store",
  });
  expect(request!.headers).toMatchObject({
    "content-type": "application/x-ndjson",
    accept: "application/json",
    authorization: `Basic ${Buffer.from("u:pä").toString("base64")}`,
    "content-length": String(request!.body.length),
  });
  expect(fake.get("audit-logs-2026.02.01", batch.id(1))?.source).toContain(entries(2)[1]!.slice(0, -1));
});

test("gzip packs the request and takes a packed answer", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, compression: "gzip", bearer: "t" });
  for (let i = 0; i < 3; i++)
    expect(await write(out, [batchOf(entries(100, i * 100), { offset: i * 1e6 })])).toEqual({});
  expect(fake.documents).toHaveLength(300);
  expect(fake.requests[0]!.headers).toMatchObject({ "content-encoding": "gzip", authorization: "Bearer t" });
  expect(Number(fake.requests[0]!.headers["content-length"])).toBeLessThan(fake.requests[0]!.body.length / 4);
});

test("stored, but nobody said so: the repeat is told apart", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  fake.fail("silent");
  await expect(write(out, [batchOf(entries(5))])).rejects.toThrow(/closed before the answer/);
  fake.heal();
  expect(await write(out, [batchOf(entries(5))], true)).toEqual({ repeated: 5 });
  expect(fake.documents).toHaveLength(5);
});

test("busy items are retried, the others are stored; a read-only index blocks", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  fake.fail("busy_items");
  expect(actions(await write(out, [batchOf(entries(4))]))).toEqual([
    [1, "retry"],
    [3, "retry"],
  ]);
  expect(fake.documents).toHaveLength(2);
  fake.fail("read_only");
  expect(actions(await write(out, [batchOf(entries(2), { offset: 1e6 })]))).toEqual([
    [0, "block"],
    [1, "block"],
  ]);
});

test("whole answers: 401 and 404 block, 413 and 400 refuse, 429 and 503 pause, 500 throws", async () => {
  const fake = await start({ maxBytes: 2_000 });
  const out = await output({ url: fake.url });
  const once = (status: number, text = "", headers: Record<string, string> = {}) => {
    fake.answerBulk({ status, text, headers });
    return write(out, [batchOf(entries(2))]);
  };
  expect(await once(401)).toEqual({ blocked: expect.stringContaining("check api_key") });
  expect(await once(404)).toEqual({ blocked: expect.stringContaining("address") });
  expect(await once(400, '{"error":{"type":"x","reason":"y"}}')).toEqual({ refused: "HTTP 400 x: y" });
  expect(await once(400, "Bad Request")).toEqual({ blocked: "HTTP 400 Bad Request" });
  expect(await once(429, "", { "retry-after": "7" })).toMatchObject({ pauseMs: 7_000 });
  const unavailable = await once(503, "", { "retry-after": "Sun, 01 Feb 2026 00:00:30 GMT" });
  expect(unavailable).toMatchObject({ pauseMs: 30_000 });
  expect(actions(unavailable)).toEqual([
    [0, "retry"],
    [1, "retry"],
  ]);
  expect(await once(503)).not.toHaveProperty("pauseMs");
  await expect(once(500, "oops")).rejects.toThrow("HTTP 500 oops");
  await expect(once(502)).rejects.toThrow("HTTP 502");
  expect(await write(out, [batchOf(entries(50))])).toEqual({ refused: expect.stringContaining("HTTP 413") });
  expect(fake.documents).toHaveLength(0);
});

test("of several nodes the dead are passed over, at once, and what may be a repeat is known as one", async () => {
  const [dying, living] = [await start(), await start()];
  const out = await output({ url: [await free(), dying.url, living.url] });
  for (let i = 0; i < 6; i++) expect(await write(out, [batchOf(entries(1, i), { offset: i * 1000 })])).toEqual({});
  expect(dying.documents.length).toBeGreaterThan(0);
  expect(living.documents.length).toBeGreaterThan(0);
  // It stores, dies without a word, and the next node (of the same cluster) has the documents already.
  for (const document of [...dying.documents]) living.put(document);
  const batch = batchOf(entries(1, 9), { offset: 9000 });
  living.put({ index: "audit-logs-2026.02.01", id: batch.id(0), source: "{}" });
  dying.fail("silent");
  const results = [await write(out, [batch]), await write(out, [batch], true)];
  expect(results.map(({ failed }) => failed?.size ?? 0).every((size, i) => size === 0 || i === 0)).toBe(true);
  await dying.stop();
  for (let i = 10; i < 14; i++) expect(await write(out, [batchOf(entries(1, i), { offset: i * 1000 })])).toEqual({});
});

test("a conflict that was never sent is compared: the same entry, or another one", async () => {
  const fake = await start();
  const index = "audit-logs-2026.02.01";
  const additions = [{ path: ["metadata", "pid"] as const, json: Buffer.from("1") }];
  const batch = batchOf(entries(4), { additions });
  const put = (i: number, source: string) => fake.put({ index, id: batch.id(i), source });
  put(0, `${entries(4)[0]!.slice(0, -1)},"metadata":{"pid":999},"@timestamp":"2026-02-01T10:00:00.000Z"}`);
  put(1, entries(4)[1]!.replace('"ratio":1.0', '"ratio":1'));
  put(2, '{"forged":true}');
  const { failed, repeated } = await write(await output({ url: fake.url }), [batch]);
  expect(repeated).toBe(1);
  expect(actions({ failed: failed! })).toEqual([
    [1, "reject"],
    [2, "reject"],
  ]);
  expect(failed!.get(1)!.reason).toBe(`id_collision: another document has the id ${batch.id(1)} in ${index}`);
  expect(fake.documents.map(({ id }) => id)).toEqual([batch.id(3)]);
});

test("setup makes template and policy once, before the first write, and leaves another's alone", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, setup: true, lifecycle: { cold_after: "never", delete_after: "36h" } });
  await Promise.all([write(out, [batchOf(entries(1))]), write(out, [batchOf(entries(1, 1), { offset: 1000 })])]);
  await write(out, [batchOf(entries(1, 2), { offset: 2000 })]);
  const calls = fake.requests.map(({ method, path }) => `${method} ${path}`);
  expect(calls.slice(0, 4)).toEqual([
    "GET /_ilm/policy/audit-logs",
    "PUT /_ilm/policy/audit-logs",
    "GET /_index_template/audit-logs",
    "PUT /_index_template/audit-logs",
  ]);
  expect(calls.slice(4)).toEqual(["POST /_bulk", "POST /_bulk", "POST /_bulk"]);
  const [, policy, , template] = fake.requests.map(({ body }) => JSON.parse(body.toString().split("\n")[0] || "{}"));
  expect(Object.keys(policy.policy.phases)).toEqual(["hot", "warm", "delete"]);
  expect(policy.policy.phases.delete.min_age).toBe("129600s");
  expect(template).toMatchObject({
    index_patterns: ["audit-logs-*"],
    template: { settings: { "index.lifecycle.name": "audit-logs", "index.lifecycle.parse_origination_date": true } },
  });
  // Ours: made anew at the next start. Somebody else's: not touched.
  await write(await output({ url: fake.url, setup: true }), [batchOf(entries(1, 3), { offset: 3000 })]);
  expect(fake.requests.filter(({ method }) => method === "PUT")).toHaveLength(4);
  await fetch(`${fake.url}/_index_template/audit-logs`, { method: "PUT", body: '{"index_patterns":["x"]}' });
  const events: AgentEvent[] = [];
  await write(await output({ url: fake.url, setup: true }, events), [batchOf(entries(1, 4), { offset: 4000 })]);
  expect(events).toMatchObject([{ is: "notice", message: expect.stringContaining("not this agent's") }]);
});

test("a failed setup writes nothing, and is tried again", async () => {
  const fake = await start();
  const out = await output({ url: fake.url, setup: true });
  fake.fail("unauthorized");
  expect(await write(out, [batchOf(entries(1))])).toEqual({ blocked: expect.stringContaining("401") });
  fake.fail("unavailable");
  await expect(write(out, [batchOf(entries(1))])).rejects.toThrow("503");
  expect(fake.requests.some(({ path }) => path === "/_bulk")).toBe(false);
  fake.heal();
  expect(await write(out, [batchOf(entries(1))])).toEqual({});
});

test("probe says what is wrong", async () => {
  const signal = new AbortController().signal;
  const probing = async (options: Record<string, unknown>) => (await output(options)).probe(signal);
  await expect(probing({ url: await free() })).rejects.toThrow(/^connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
  await expect(probing({ url: "http://no-such-host.invalid" })).rejects.toThrow(/no-such-host\.invalid/);
  const fake = await start({ authorization: "ApiKey right", version: "7.17.0" });
  await expect(probing({ url: fake.url, api_key: "wrong" })).rejects.toThrow(/HTTP 401 .*check api_key/);
  await expect(probing({ url: fake.url, api_key: "right\n" })).rejects.toThrow("Elasticsearch 7.17.0 is too old");
  await expect(probing({ url: fake.url.replace("http:", "https:") })).rejects.toThrow(
    /wrong version number|SSL|EPROTO/i,
  );
});

test("TLS: a private CA, mutual, renewed while it runs; files that are none are named", async () => {
  const dir = mkdtempSync(join(tmpdir(), "es-tls-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const file = (name: string) => join(dir, name);
  const server = selfSigned("es.test");
  const client = selfSigned("shipper.test");
  writeFileSync(file("server.pem"), server.cert);
  writeFileSync(file("client.pem"), client.cert);
  writeFileSync(file("client.key"), client.key);
  const fake = await start({ tls: { ...server, ca: client.cert, requestCert: true } });
  writeFileSync(file("notes.txt"), "certificates go here");
  const good = { ca: file("server.pem"), cert: file("client.pem"), key: file("client.key") };
  const probing = async (options: Record<string, unknown>) =>
    (await output({ url: fake.url, tls: options })).probe(new AbortController().signal);
  expect(await write(await output({ url: fake.url, tls: good }), [batchOf(entries(3))])).toEqual({});
  await expect(probing({})).rejects.toThrow(/self-signed certificate/);
  await expect(probing({ ...good, server_name: "other.test" })).rejects.toThrow(/does not match|altnames/);
  await expect(probing({ ca: good.ca })).rejects.toThrow(/certificate required|closed/);
  await expect(probing({ ...good, ca: file("none.pem") })).rejects.toThrow(/tls\.ca: cannot read .*none\.pem: ENOENT/);
  await expect(probing({ ...good, ca: file("notes.txt") })).rejects.toThrow(
    /tls\.ca: .*notes\.txt is not in PEM format/,
  );
  await probing({ ...good, server_name: "es.test" });
  const { ca: _, ...unverified } = good;
  await probing({ ...unverified, verify: false });

  // Renewed under the same names: the next connection uses the new files.
  const renewing = await output({ url: fake.url, tls: good });
  await renewing.probe(new AbortController().signal);
  writeFileSync(file("server.pem"), selfSigned("es.test").cert);
  await fake.restart();
  await expect(renewing.probe(new AbortController().signal)).rejects.toThrow(/self-signed|signature|closed/);
  writeFileSync(file("server.pem"), server.cert);
  await renewing.probe(new AbortController().signal);
});

/** Stops reading a request after so many bytes, and then answers, or never does; `rest` reads on to the end of every connection. */
async function slowServer(answerAfter: number, status: number | undefined) {
  const bodies: Buffer[][] = [];
  const paused: Socket[] = [];
  const ends: Promise<unknown>[] = [];
  const { promise: stuck, resolve } = Promise.withResolvers<void>();
  const server = createServer((socket) => {
    const chunks: Buffer[] = [];
    bodies.push(chunks);
    let length = 0;
    socket.on("error", () => {});
    ends.push(new Promise((end) => socket.on("close", end)));
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < answerAfter || paused.includes(socket)) return;
      paused.push(socket);
      socket.pause();
      resolve();
      if (status)
        socket.write(`HTTP/1.1 ${status} Early\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n`);
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    for (const socket of paused) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const rest = async () => {
    for (const socket of paused) socket.resume();
    await Promise.all(ends);
  };
  return { url: `http://127.0.0.1:${port}`, bodies, stuck, rest };
}

test.each([429, 413])(
  "an early %i, while most of the body waits, comes through; no byte of another write goes out",
  async (status) => {
    const slow = await slowServer(10_000, status);
    const out = await output({ url: slow.url });
    const letters = ["a", "b", "c", "d"];
    const lines = (letter: string) => entries(10_000, 0, letter.repeat(1_500));
    for (const letter of letters) {
      const result = await write(out, [batchOf(lines(letter))]);
      if (status === 413) expect(result).toEqual({ refused: expect.stringContaining("HTTP 413") });
      else expect(result.failed?.size).toBe(10_000);
    }
    await slow.rest();
    expect(slow.bodies).toHaveLength(letters.length);
    for (const [i, letter] of letters.entries()) {
      const text = Buffer.concat(slow.bodies[i]!).toString("latin1");
      const body = text.slice(text.indexOf("\r\n\r\n") + 4);
      // The buffers of the two ends hold some megabytes; the rest was never sent.
      expect(body.length).toBeLessThan(15_000_000);
      const fake = await start();
      await write(await output({ url: fake.url }), [batchOf(lines(letter))]);
      expect(fake.requests[0]!.body.toString("latin1").startsWith(body)).toBe(true);
    }
  },
);

test("an abort ends a request that is half sent, and its node is left alone", async () => {
  const slow = await slowServer(10_000, undefined);
  const fake = await start();
  const out = await output({ url: [slow.url, fake.url] });
  // One of the two goes to the node that never answers.
  for (const [i, letter] of ["x", "y"].entries()) {
    const abort = new AbortController();
    const writing = write(
      out,
      [batchOf(entries(10_000, 0, letter.repeat(1_500)), { offset: i * 1e9 })],
      false,
      abort.signal,
    );
    const stuck = await Promise.race([slow.stuck.then(() => true), writing.then(() => false)]);
    if (!stuck) continue;
    abort.abort();
    await expect(writing).rejects.toThrow("stopped");
    break;
  }
  for (let i = 2; i < 6; i++) {
    expect(await write(out, [batchOf(entries(100, i * 100), { offset: i * 1e9 })])).toEqual({});
  }
});

test("close ends what is under way, and may be called twice", async () => {
  const fake = await start();
  const out = await output({ url: fake.url });
  fake.fail("hang");
  const stuck = write(out, [batchOf(entries(1))]);
  stuck.catch(() => {});
  await expect.poll(() => fake.requests.length).toBe(1);
  await out.close();
  await out.close();
  await expect(stuck).rejects.toThrow();
  await expect(write(out, [batchOf(entries(1))])).rejects.toThrow("closed");
});

test.each([
  [{ url: "http://u:p@h:9200" }, "credentials"],
  [{ url: ["http://a:9200", "http://b:9200/?x=1"] }, "end with its path"],
  [{ url: "http://h", index: "a-%Q" }, "%Q is unknown"],
  [{ url: "http://h", index: "Audit-%Y" }, "lower case"],
  [{ url: "http://h", index: "_audit" }, "must not start"],
  [{ url: "http://h", index: "a b" }, "must not contain"],
  [{ url: "http://h", index: "%Y.%m.%d", setup: true }, "must begin with a name"],
  [{ url: "http://h", index: "a", data_stream: "b" }, "together with `index`"],
  [{ url: "http://h", username: "u" }, "is needed too"],
  [{ url: "http://h", api_key: "k", bearer: "b" }, "only one of"],
  [{ url: "https://h", tls: { cert: "/c.pem" } }, "needs both"],
  [{ url: "http://h", tls: {} }, "no effect"],
])("a wrong configuration is told apart: %j", (options, message) => {
  const { errors = [] } = definition.check!(definition.options.parse(options));
  expect(errors.map((error) => error.message).join()).toContain(message);
});

test("many indices a day is a warning, the defaults are none", () => {
  const check = (options: object) => definition.check!(definition.options.parse({ url: "http://h", ...options }));
  expect(check({ index: "a-%Y.%m.%d.%H" }).warnings).toHaveLength(1);
  expect(check({})).toEqual({ errors: [], warnings: [] });
});
