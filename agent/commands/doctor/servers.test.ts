/** Clocks and certificates, of real servers on loopback. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { selfSigned, type TestCertificate } from "../../../test/fakes/certificate.ts";
import { Checkup, said } from "../../../test/fakes/checkup.ts";
import { FakeElasticsearch } from "../../../test/fakes/elasticsearch.ts";
import { checkCertificates } from "./certificates.ts";
import { checkClock } from "./clock.ts";
import { checkDestinations } from "./destinations.ts";
import { lookAtServers } from "./servers.ts";

const DAY_MS = 86_400_000;
const inDays = (days: number) => selfSigned("localhost", new Date(Date.now() + (days + 0.5) * DAY_MS));

async function elasticsearch(tls?: TestCertificate): Promise<FakeElasticsearch> {
  const fake = await FakeElasticsearch.start(tls ? { tls } : {});
  onTestFinished(() => fake.stop());
  return fake;
}

async function syslog(tls: TestCertificate): Promise<number> {
  const server = createServer(tls, (socket) => socket.on("error", () => {})).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("this host's clock against that of a destination", async () => {
  const checkup = new Checkup();
  const fake = await elasticsearch();
  const subject = checkup.subject({ outputs: [{ name: "elasticsearch", url: `${fake.url}/path` }] });
  const look = async (aheadMs: number) => {
    checkup.aheadMs = aheadMs;
    return said(await checkClock(subject, await lookAtServers(subject)));
  };
  expect(await look(0)).toEqual([]);
  expect(await look(-120_000)).toEqual([
    expect.stringMatching(/^warn: this host's clock is 1[12]\d s behind that of http/),
  ]);
  expect(await look(900_000)).toEqual([
    expect.stringMatching(/^error: this host's clock is (90\d|899) s ahead of that of http/),
  ]);
  expect(
    fake.requests.every(({ method, path, headers }) => `${method} ${path}` === "HEAD /" && !headers.authorization),
  ).toBe(true);
});

test("nobody tells the time: the system's mark, or nothing is known", async () => {
  const checkup = new Checkup();
  const subject = checkup.subject();
  expect(said(await checkClock(subject, []))).toEqual([
    expect.stringMatching(/^unknown: no destination tells the time/),
  ]);
  checkup.write("run/systemd/timesync/synchronized", "");
  expect(said(await checkClock(subject, []))).toEqual([]);
});

test.each([
  [90, []],
  [20, ["warn: elasticsearch: the certificate of https://127.0.0.1 expires on DAY, in 20 days"]],
  [3, ["error: elasticsearch: the certificate of https://127.0.0.1 expires on DAY, in 3 days"]],
  [-2, ["error: elasticsearch: the certificate of https://127.0.0.1 has expired on DAY"]],
])("a server's certificate, %i days before its end", async (days, expected) => {
  const checkup = new Checkup();
  const fake = await elasticsearch(inDays(days));
  const subject = checkup.subject({ outputs: [{ name: "elasticsearch", url: fake.url }] });
  const findings = said(await checkCertificates(subject, await lookAtServers(subject)));
  expect(findings.map((line) => line.replace(/:\d+ /, " ").replace(/\d{4}-\d\d-\d\d/, "DAY"))).toEqual(expected);
});

test("certificates and keys in the configuration, and a server that no URL names", async () => {
  const checkup = new Checkup();
  const [server, own, other] = [inDays(4), inDays(10), inDays(900)];
  const port = await syslog(server);
  const cert = checkup.write("cert.pem", own.cert);
  const key = checkup.write("key.pem", other.key, 0o644);
  const ca = checkup.write("ca.pem", `${other.cert}${inDays(2).cert}`);
  const outputs = [{ name: "syslog", host: "127.0.0.1", port, protocol: "tls", tls: { ca, cert, key } }];
  const subject = checkup.subject({ outputs });
  const findings = said(await checkCertificates(subject, await lookAtServers(subject)));
  // A certificate and key that do not belong together cannot even be offered.
  expect(findings.map((line) => line.replace(/\d{4}-\d\d-\d\d/, "DAY"))).toEqual([
    expect.stringMatching(
      new RegExp(`^unknown: syslog: 127.0.0.1:${port} shows no certificate: .*key values mismatch`),
    ),
    `error: syslog: tls.ca ${ca} (localhost) expires on DAY, in 2 days`,
    `warn: syslog: tls.cert ${cert} (localhost) expires on DAY, in 10 days`,
    `warn: syslog: others may read the private key ${key} (0644)`,
    `error: syslog: tls.key ${key} is not the key of tls.cert ${cert}`,
  ]);
  const plain = checkup.subject({ outputs: [{ ...outputs[0], tls: { ca } }] });
  expect(said(await checkCertificates(plain, await lookAtServers(plain)))[0]).toMatch(
    new RegExp(`^error: syslog: the certificate of 127.0.0.1:${port} expires on .*, in 4 days`),
  );
});

test("each destination asked, as its output would use it", async () => {
  const checkup = new Checkup();
  const fake = await elasticsearch();
  fake.fail("unauthorized");
  const outputs = [
    { name: "elasticsearch", alias: "es", url: fake.url },
    { name: "file", path: "archive/a.jsonl" },
  ];
  const findings = await checkDestinations(checkup.subject({ outputs }));
  expect(said(findings)).toEqual([expect.stringMatching(/^error: es would take nothing: HTTP 401/)]);
  expect(findings.at(-1)).toEqual({ level: "ok", what: "file would take entries", todo: null });
});
