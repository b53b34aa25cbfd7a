import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Output } from "../../agent/api/output.ts";
import { until } from "../../test/contract/lane.ts";
import { selfSigned } from "../../test/fakes/certificate.ts";
import { FakeSyslog } from "../../test/fakes/syslog.ts";
import { syslogOutput, writeLines } from "../../test/fakes/syslog-output.ts";

let folder = "";
const closing: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "syslog-tls-"));
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function start(tls: TlsOptions): Promise<FakeSyslog> {
  const fake = await FakeSyslog.start({ protocol: "tls", tls });
  closing.push(() => fake.stop());
  return fake;
}

async function output({ port }: FakeSyslog, tls: Record<string, unknown>): Promise<Output> {
  const made = await syslogOutput({ host: "localhost", port, protocol: "tls", tls });
  closing.push(() => made.close());
  return made;
}

const write = (out: Output, n: number) => writeLines(out, [`{"n":${n}}`]);

test("certificates are read anew for every connection", async () => {
  const server: TlsOptions = { ...selfSigned("localhost") };
  const fake = await start(server);
  const out = await output(fake, { ca: file("ca.pem", String(server.cert)) });
  expect(await write(out, 1)).toEqual({});
  Object.assign(server, selfSigned("localhost"));
  await fake.restart();
  await until("the new certificate is refused", () =>
    write(out, 2).then(
      () => false,
      (error: Error) => error.message.includes("self-signed certificate"),
    ),
  );
  file("ca.pem", String(server.cert));
  expect(await write(out, 3)).toEqual({});
  await until("it arrives", () => fake.messages.some((message) => message.includes('{"n":3}')));
});

test("a server of another name gets nothing, unless that is the name to expect", async () => {
  const server = selfSigned("logs.example.com");
  const fake = await start(server);
  const ca = file("ca.pem", server.cert);
  await expect(write(await output(fake, { ca }), 1)).rejects.toThrow(/localhost:\d+: Hostname\/IP does not match/);
  expect(fake.messages).toEqual([]);
  expect(await write(await output(fake, { ca, server_name: "logs.example.com" }), 2)).toEqual({});
});

test("nothing older than TLS 1.2 is spoken", async () => {
  const server = selfSigned("localhost");
  const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const;
  const out = await output(await start({ ...server, ...old }), { ca: file("ca.pem", server.cert) });
  await expect(write(out, 1)).rejects.toThrow(/protocol version|unsupported protocol/);
});

test.each(["TLSv1.2", "TLSv1.3"] as const)(
  "a server that wants a client certificate gets nothing without the right one (%s)",
  async (version) => {
    const [server, client, rogue] = [selfSigned("localhost"), selfSigned("shipper"), selfSigned("shipper")];
    const wants = { requestCert: true, rejectUnauthorized: true, ca: client.cert };
    const fake = await start({ ...server, ...wants, minVersion: version, maxVersion: version });
    const ca = file("ca.pem", server.cert);
    const pair = (name: string, { cert, key }: typeof client) => ({
      cert: file(`${name}.pem`, cert),
      key: file(`${name}.key`, key),
    });
    for (const tls of [{ ca }, { ca, ...pair("rogue", rogue) }]) {
      const out = await output(fake, tls);
      for (let n = 0; n < 3; n++) await expect(write(out, n)).rejects.toThrow();
    }
    expect(fake.messages).toEqual([]);
    expect(await write(await output(fake, { ca, ...pair("client", client) }), 4)).toEqual({});
    await until("it arrives", () => fake.messages.length === 1);
  },
);
