import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import { selfSigned } from "../../test/fakes/certificate.ts";
import { FakeSink } from "../../test/fakes/http-sink.ts";
import { FakeSplunk } from "../../test/fakes/splunk.ts";
import { HttpClient, statusReason } from "./http.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function client(urls: string[], tls?: { ca: string; verify: boolean }): HttpClient {
  const made = new HttpClient({ urls, tls, clock: systemClock, secrets: () => ["5cr3t"] });
  closing.push(() => made.close());
  return made;
}
const get = { method: "GET", path: "", headers: {} } as const;
const signal = () => AbortSignal.timeout(10_000);

test("a renewed certificate counts for the next connection, without a restart", async () => {
  const folder = mkdtempSync(join(tmpdir(), "http-client-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const ca = join(folder, "ca.pem");
  const [first, second] = [selfSigned("localhost"), selfSigned("localhost")];
  writeFileSync(ca, first.cert);
  const fake = await FakeSplunk.start({ token: "t", tls: second });
  closing.push(() => fake.stop());
  const http = client([`${fake.url}/services/collector/health`], { ca, verify: true });
  await expect(http.request(get, signal())).rejects.toThrow(/certificate/);
  writeFileSync(ca, second.cert);
  expect(await http.request(get, signal())).toMatchObject({ status: 200 });
  writeFileSync(ca, "not a certificate");
  await expect(http.request(get, signal())).rejects.toThrow(/tls.ca: .* is not in PEM format/);
});

test("who it is has to be proved, unless that is switched off", async () => {
  const fake = await FakeSplunk.start({ token: "t", tls: selfSigned("localhost") });
  closing.push(() => fake.stop());
  const url = `${fake.url}/services/collector/health`;
  await expect(client([url]).request(get, signal())).rejects.toThrow(/self.signed certificate/);
  const unverified = new HttpClient({ urls: [url], tls: { verify: false }, clock: systemClock, secrets: () => [] });
  closing.push(() => unverified.close());
  expect(await unverified.request(get, signal())).toMatchObject({ status: 200 });
});

test("what certainly was not sent goes to another endpoint; what may have been is the caller's to repeat", async () => {
  const [dead, alive] = [await FakeSink.start(), await FakeSink.start()];
  closing.push(() => alive.stop());
  await dead.stop();
  const http = client([dead.url, alive.url]);
  for (let i = 0; i < 3; i++) expect(await http.request(get, signal())).toMatchObject({ endpoint: alive.url });
  alive.fail("drop");
  await expect(http.request({ ...get, method: "POST", body: "x" }, signal())).rejects.toThrow();
});

test("answers are bounded, and their reasons one short line without secrets", async () => {
  const fake = await FakeSink.start();
  closing.push(() => fake.stop());
  fake.script({ status: 500, text: "x".repeat(5_000_000) });
  const big = await client([fake.url]).request({ ...get, method: "POST", body: "x" }, signal());
  expect(big.text.length).toBe(1024 * 1024);
  fake.script({ status: 500, text: "it was 5cr3t" });
  expect((await client([fake.url]).request({ ...get, method: "POST", body: "x" }, signal())).text).toBe(
    "it was [secret]",
  );
  expect(statusReason(502, "<html>\n<h1>Bad\u0007 gateway</h1></html>", "is it there?")).toBe(
    "HTTP 502: Bad gateway (is it there?)",
  );
});

test("an abort is obeyed at once, and a closed client says so", async () => {
  const fake = await FakeSink.start();
  closing.push(() => fake.stop());
  fake.fail("hang");
  const http = client([fake.url]);
  const stop = new AbortController();
  const asked = http.request({ ...get, method: "POST", body: "x" }, stop.signal);
  await expect.poll(() => fake.requests.length).toBe(1);
  stop.abort(new Error("enough"));
  await expect(asked).rejects.toThrow("enough");
  await http.close();
  await expect(http.request(get, signal())).rejects.toThrow("closed");
});

/** Speaks what it is told to, byte for byte. */
async function speaks(
  answer: (socket: Socket, turn: number) => void,
): Promise<{ url: string; connections: () => number }> {
  let turn = 0;
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => undefined);
    socket.on("data", () => answer(socket, turn++));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, connections: () => connections };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const post = { method: "POST", path: "", headers: {}, body: "x" } as const;

test("connections are kept alive, and used again", async () => {
  const { url, connections } = await speaks((socket) => socket.write(OK));
  const http = client([url]);
  for (let i = 0; i < 10; i++) expect((await http.request(post, signal())).text).toBe("ok");
  // The first may not be free yet when the second request comes.
  expect(connections()).toBeLessThanOrEqual(2);
});

test.each([
  ["closes", (socket: Socket) => socket.end()],
  ["resets", (socket: Socket) => socket.resetAndDestroy()],
])("a request that meets a server just as it %s an idle connection is made again", async (_, close) => {
  // Even turns answer, odd ones meet the end of the connection.
  const { url, connections } = await speaks((socket, turn) => (turn % 2 === 0 ? socket.write(OK) : close(socket)));
  const http = client([url]);
  for (let i = 0; i < 3; i++) expect((await http.request(post, signal())).text).toBe("ok");
  expect(connections()).toBe(3);
});

test("one that never answers is asked once only, and so is one that stopped answering twice", async () => {
  const never = await speaks((socket) => socket.destroy());
  await expect(client([never.url]).request(post, signal())).rejects.toThrow("closed before the answer");
  expect(never.connections()).toBe(1);
  const once = await speaks((socket, turn) => (turn === 0 ? socket.write(OK) : socket.destroy()));
  const http = client([once.url]);
  await http.request(post, signal());
  await expect(http.request(post, signal())).rejects.toThrow("closed before the answer");
  expect(once.connections()).toBe(2);
});

test.each([
  ["HTTP/1.1 200 OK\r\n\r\nends with the connection", "ends with the connection"],
  ["HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\nbroken", "broken"],
])("an answer is one however it ends: %j", async (bytes, text) => {
  const { url } = await speaks((socket) => socket.end(bytes));
  expect((await client([url]).request(post, signal())).text).toBe(text);
});

test.each([
  "garbage\r\n\r\n",
  `HTTP/1.1 200 OK\r\nX: ${"y".repeat(100_000)}\r\n\r\n`,
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
  "",
])("what is no HTTP is an error that says so (%#)", async (bytes) => {
  const { url } = await speaks((socket) => socket.end(bytes));
  await expect(client([url]).request(post, signal())).rejects.toThrow(
    /does not speak HTTP\/1\.1|headers of the answer|closed before/,
  );
});

test("an answer that switches to another protocol is none", async () => {
  const { url } = await speaks((socket) =>
    socket.write("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"),
  );
  await expect(client([url]).request(post, signal())).rejects.toThrow("closed before the answer");
});

describe("an answer that comes before the body is out", () => {
  const body = Buffer.alloc(32 * 1024 * 1024, "x");
  const answers = (bytes: string, then: (socket: Socket) => void) =>
    speaks((socket, turn) => {
      if (turn === 0) socket.write(bytes, () => then(socket));
    });

  test("as a refusal ends the request, whose memory is not used again", async () => {
    const bytes = "HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno";
    const { url } = await answers(bytes, (socket) => socket.pause());
    expect(await client([url]).request({ ...post, body }, signal())).toMatchObject({ status: 413, sent: false });
  });
  test("as a success waits for the body", async () => {
    let read = 0;
    const { url } = await answers(OK, (socket) => {
      read = socket.bytesRead;
      socket.on("data", (chunk) => {
        read += chunk.length;
      });
    });
    expect(await client([url]).request({ ...post, body }, signal())).toMatchObject({ status: 200, sent: true });
    // The buffers of the two ends hold some megabytes.
    expect(read).toBeGreaterThan(body.length / 2);
  });
  test("as a success is none where the connection ends first", async () => {
    const { url } = await answers(OK, (socket) => socket.resetAndDestroy());
    await expect(client([url]).request({ ...post, body }, signal())).rejects.toThrow("without having all of it");
  });
});

test("an answer that drips is waited for until the signal aborts", async () => {
  const { url } = await speaks((socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    const drip = setInterval(() => socket.write("."), 5);
    socket.on("close", () => clearInterval(drip));
  });
  const stop = new AbortController();
  const asked = client([url]).request(post, stop.signal);
  asked.catch(() => undefined);
  setTimeout(() => stop.abort(new Error("too slow")), 50);
  await expect(asked).rejects.toThrow("too slow");
});

test("secrets are those the request went out with: renewed or gone meanwhile, they are still not said", async () => {
  const fake = await FakeSink.start();
  closing.push(() => fake.stop());
  let reads = 0;
  const secrets = () => {
    if (reads++ > 0) throw new Error("the file /run/token does not exist");
    return ["f1rst-secret"];
  };
  const http = new HttpClient({ urls: [fake.url], clock: systemClock, secrets });
  closing.push(() => http.close());
  fake.script({ status: 401, text: "not f1rst-secret" });
  expect((await http.request(post, signal())).text).toBe("not [secret]");
});

test("IPv6; and TLS where there is none says so", async () => {
  const server = createHttpServer((_, response) => response.end("six"));
  await new Promise<void>((resolve) => server.listen(0, "::1", resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  expect((await client([`http://[::1]:${port}`]).request(get, signal())).text).toBe("six");
  await expect(client([`https://[::1]:${port}`]).request(get, signal())).rejects.toThrow(
    "what answers at this port does not speak TLS",
  );
});
