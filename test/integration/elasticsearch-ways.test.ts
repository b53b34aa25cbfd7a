/** Ways to a real Elasticsearch: TLS in front of it, several nodes of which some are dead, an API key that is renewed. */
import { once } from "node:events";
import { appendFile, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { describe, expect, onTestFinished, test } from "vitest";
import { entries } from "../contract/records.ts";
import { Cuttable } from "../e2e/harness/cuttable.ts";
import { stopOf } from "../e2e/harness/observe.ts";
import { Workspace } from "../e2e/harness/workspace.ts";
import { selfSigned } from "../fakes/certificate.ts";
import { batchOf, RealElasticsearch, write } from "./elasticsearch-server.ts";
import { service } from "./services.ts";
import { ship } from "./shipment.ts";

const there = service("Elasticsearch", ["ELASTICSEARCH_URL"]);
const ENTRIES = 20_000;

/** TLS that ends in front of the server: a proxy, as many clusters have one. */
async function tlsFront(target: string, options: TlsOptions): Promise<string> {
  const { hostname, port } = new URL(target);
  const server = createTlsServer(options, (from) => {
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [[from, to] as const, [to, from] as const]) {
      socket.on("error", () => other.destroy());
      socket.on("close", () => other.destroy());
    }
    from.pipe(to).pipe(from);
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Takes connections, and never says a word. */
async function hanging(): Promise<string> {
  const server = createServer((socket) => void socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function nobody(): Promise<string> {
  const way = await Cuttable.to("http://127.0.0.1:9");
  await way.cut();
  return way.url;
}

describe.runIf(there.there)("ways to a real Elasticsearch", () => {
  const real = new RealElasticsearch(there.env.ELASTICSEARCH_URL, process.env.ELASTICSEARCH_API_KEY, "way");
  const { run } = real;
  const server = selfSigned("es.test");
  const client = selfSigned("shipper.test");

  test("TLS: its CA, its name and a client's certificate are asked for; whoever lacks one stores nothing", async () => {
    const workspace = new Workspace();
    const file = (name: string, text: string) => workspace.write(name, text);
    const [ca, cert, key] = [
      await file("ca.pem", server.cert),
      await file("client.pem", client.cert),
      await file("client.key", client.key),
    ];
    const rogue = selfSigned("shipper.test");
    const [otherCa, rogueCert, rogueKey] = [
      await file("other.pem", selfSigned("es.test").cert),
      await file("rogue.pem", rogue.cert),
      await file("rogue.key", rogue.key),
    ];
    const url = await tlsFront(real.url, { ...server, ca: client.cert, requestCert: true, rejectUnauthorized: true });
    const index = `${run}-tls`;
    const trying = async (tls: object | undefined, at = url) =>
      write(await real.output({ url: at, index, ...(tls && { tls }) }), [batchOf(entries(3))]);

    await expect(trying(undefined)).rejects.toThrow(/self-signed certificate/);
    await expect(trying({ ca: otherCa, cert, key })).rejects.toThrow(/self-signed|signature|unable to verify/);
    await expect(trying({ ca, cert, key, server_name: "other.test" })).rejects.toThrow(/altnames|does not match/);
    await expect(trying({ ca })).rejects.toThrow(/certificate required|closed/);
    await expect(trying({ ca, cert: rogueCert, key: rogueKey })).rejects.toThrow(/unknown ca|closed|alert/i);
    await expect(trying({ ca, cert, key }, url.replace("https", "http"))).rejects.toThrow(/closed/);
    expect(await real.count(index), "there is no such index").toBeUndefined();

    expect(await trying({ ca, cert, key })).toEqual({});
    expect(await trying({ ca, cert, key, server_name: "es.test" })).toEqual({ repeated: 3 });
    expect(await real.count(index)).toBe(3);
  });

  test("a shipment over TLS and gzip, whose way breaks in the middle, arrives once", async () => {
    const way = await Cuttable.to(await tlsFront(real.url, { ...server, ca: client.cert, requestCert: true }));
    const workspace = new Workspace();
    const tls = {
      ca: await workspace.write("ca.pem", server.cert),
      cert: await workspace.write("client.pem", client.cert),
      key: await workspace.write("client.key", client.key),
      server_name: "es.test",
    };
    const index = `${run}-tls-many`;
    const url = way.url.replace("http:", "https:");
    const ledger = await ship({
      entries: ENTRIES,
      output: { ...real.section({ url, index, tls, compression: "gzip" }), batch: { records: 500 } },
      count: async () => (await real.count(index)) ?? 0,
      trouble: async () => {
        await way.cut();
        await way.mend();
      },
    });
    expect(ledger).toMatchObject({ delivered: ENTRIES, queued: 0 });
    expect(await real.count(index)).toBe(ENTRIES);
  });

  test("of several nodes one refuses, one hangs and one dies in the middle: everything arrives once", async () => {
    const dying = await Cuttable.to(real.url);
    const index = `${run}-nodes`;
    const url = [await nobody(), await hanging(), dying.url, real.url];
    const ledger = await ship({
      entries: ENTRIES,
      output: { ...real.section({ url, index }), timeout: "2s", batch: { records: 500 } },
      count: async () => (await real.count(index)) ?? 0,
      trouble: () => dying.cut(),
    });
    expect(ledger).toMatchObject({ delivered: ENTRIES, queued: 0 });
    expect(await real.count(index)).toBe(ENTRIES);
  });

  // Elsewhere there are no keys: not a skip, as nothing is missing.
  const { key: apiKey } = real;
  if (apiKey !== undefined)
    test("an API key that is wrong, lacks a privilege, and is then renewed in its file", async () => {
      const index = `${run}-key`;
      const derived = (await real.api("POST", "/_security/api_key", {
        name: run,
        role_descriptors: { none: { cluster: [], indices: [] } },
      })) as { encoded: string };
      const lacking = await real.output({ index, api_key: derived.encoded });
      await expect(lacking.probe(AbortSignal.timeout(10_000))).rejects.toThrow(/lacks create_doc/);
      const { blocked, failed } = await write(lacking, [batchOf(entries(1))]);
      expect(blocked ?? failed?.get(0)).toEqual(
        blocked ? expect.stringContaining("403") : { action: "block", reason: expect.stringContaining("unauthorized") },
      );

      const workspace = new Workspace();
      const wrong = Buffer.from("wrongidwrongidwrong:wrongkeywrongkey").toString("base64");
      const file = await workspace.write("key", `${wrong}\n`);
      const log = await workspace.write("logs/app.jsonl", `${entries(10).join("\n")}\n`);
      const agent = await real.agent(workspace, { index, api_key: `\${file:${file}}` });
      await agent.logged(/is blocked: HTTP 401 .*check api_key/);
      await appendFile(log, `${entries(10, 10).join("\n")}\n`);
      await writeFile(file, `${apiKey}\n`);
      await agent.until("all to arrive", async () => (await real.count(index)) === 20);
      expect((await stopOf(agent)).out).toMatchObject({ delivered: 20, rejected: 0, lost: 0 });
      for (const secret of [wrong, apiKey, derived.encoded]) expect(agent.stderr).not.toContain(secret);
    });
});
