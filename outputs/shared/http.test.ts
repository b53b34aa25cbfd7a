import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
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
