import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:http";
import https from "node:https";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { selfSigned } from "../../test/fakes/certificate.ts";
import type { PipelineView } from "../api/operate.ts";
import { type Control, RefusedError } from "../control/control.ts";
import type { Operator } from "../control/operator.ts";
import type { Health } from "../telemetry/health.ts";
import { EventStreams } from "./events.ts";
import { type HttpOptions, type HttpServer, startHttp } from "./server.ts";

const good: Health = {
  status: "ok",
  ready: true,
  version: "1.2.3",
  uptime_seconds: 1,
  problems: [],
  components: [],
  outputs: [],
  queue: null,
  dead_letters: null,
  lost_at_input_bytes: 0,
  orphans: [],
};
const servers: HttpServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const TOKEN = "A".repeat(43);
const bearer = { authorization: `Bearer ${TOKEN}` };
const asked: { what: string; operator: Operator }[] = [];

/** What stands behind the routes; the real one is tested with the whole agent in test/e2e. */
function behind(health: Health): Control {
  return {
    telemetry: {
      health: () => health,
      metrics: async () => "audit_agent_up 1\n",
      recent: () => [],
      subscribe: () => () => {},
    },
    view: () => ({ node: "n" }) as PipelineView,
    history: () => ({}),
    isAttached: true,
    tap: () => () => {},
    letters: async (what: object) => what,
    async pause(alias: string, paused: boolean, operator: Operator) {
      if (alias !== "es") throw new RefusedError(404, `no output is called ${alias}`);
      asked.push({ what: `${alias} ${paused}`, operator });
      return { alias, paused };
    },
    discard: async (chosen: object, operator: Operator) => {
      asked.push({ what: JSON.stringify(chosen), operator });
      return { records: 1, left: 0 };
    },
  } as unknown as Control;
}

async function start(
  health: Health = good,
  listen = "127.0.0.1:0",
  more: Partial<HttpOptions> = {},
  token = () => TOKEN,
) {
  const control = behind(health);
  const page = new Map([["/", { body: Buffer.from("<!doctype html>"), type: "text/html", immutable: false }]]);
  const routed = { control, streams: new EventStreams(control), page };
  const server = await startHttp({ listen, ...more }, token, routed);
  servers.push(server);
  return server;
}

function get(address: string, path: string, headers: Record<string, string> = {}, method = "GET") {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }>((resolve, reject) => {
    const sent = request(new URL(path, address), { headers, method, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

test("the four pages, with headers that keep browsers out", async () => {
  const { address } = await start();
  for (const path of ["/healthz", "/readyz", "/health", "/metrics"]) {
    const answer = await get(address, path, bearer);
    expect(answer.status).toBe(200);
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
  }
  expect((await get(address, "/metrics")).body).toBe("audit_agent_up 1\n");
  expect((await get(address, "/metrics")).headers["content-type"]).toContain("text/plain; version=0.0.4");
  expect(JSON.parse((await get(address, "/health", bearer)).body)).toEqual(good);
});

test("alive is not ready is not healthy", async () => {
  const { address } = await start({ ...good, status: "degraded", ready: false, problems: ["x"] });
  expect((await get(address, "/healthz")).status).toBe(200);
  expect((await get(address, "/readyz")).status).toBe(503);
  expect((await get(address, "/health", bearer)).status).toBe(503);
});

test("nothing else is there", async () => {
  const { address } = await start();
  for (const path of ["/x", "/metrics/x", "/%2e%2e/etc/passwd", "/health%00", `/${"x".repeat(5000)}`]) {
    const answer = await get(address, path, bearer);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).not.toContain("node_modules");
  }
  expect((await get(address, "/health", bearer, "POST")).status).toBe(404);
  expect((await get(address, "/health", { "x-big": "x".repeat(20_000) })).status).toBe(431);
});

test("without the token only health checks and metrics answer, and the page, which holds nothing", async () => {
  const { address } = await start();
  for (const path of ["/healthz", "/readyz", "/metrics", "/"])
    expect((await get(address, path)).status, path).toBe(200);
  const paths = ["/health", "/api/pipeline", "/api/history", "/api/events", "/api/dead-letters", "/api/nothing", "/x"];
  for (const path of paths) {
    for (const authorization of ["", "Bearer", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, `Bearer ${"B".repeat(43)}`]) {
      expect((await get(address, path, { authorization })).status, `${path} ${authorization}`).toBe(401);
    }
  }
  for (const path of ["/api/reload", "/api/outputs/es/pause", "/api/dead-letters/discard"]) {
    expect((await get(address, path, {}, "POST")).status, path).toBe(401);
  }
  expect(asked).toEqual([]);
});

test("a page of another origin is refused, with the token too", async () => {
  const { address } = await start();
  const foreign = [{ origin: "https://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }];
  for (const headers of [...foreign, { "sec-fetch-site": "same-site" }]) {
    const answer = await get(address, "/api/outputs/es/pause", { ...bearer, ...headers }, "POST");
    expect(answer.status, JSON.stringify(headers)).toBe(403);
  }
  const own = { ...bearer, origin: address, "sec-fetch-site": "same-origin" };
  expect((await get(address, "/api/outputs/es/pause", own, "POST")).status).toBe(200);
  expect(asked.splice(0)).toEqual([{ what: "es true", operator: { actor: "token", from: "http 127.0.0.1" } }]);
});

test("while the agent starts nobody gets in, and it is alive", async () => {
  const { address } = await start(good, "127.0.0.1:0", {}, (() => undefined) as unknown as () => string);
  expect((await get(address, "/healthz")).status).toBe(200);
  expect((await get(address, "/api/pipeline", bearer)).status).toBe(503);
  expect((await get(address, "/api/pipeline", { authorization: "Bearer undefined" })).status).toBe(503);
});

test("probe_listen answers health checks and metrics, and nothing else even with the token", async () => {
  const { probes } = await start(good, "127.0.0.1:0", { probe_listen: "127.0.0.1:0" });
  for (const path of ["/healthz", "/readyz", "/metrics"]) expect((await get(probes!, path)).status, path).toBe(200);
  for (const path of ["/", "/health", "/api/pipeline"])
    expect((await get(probes!, path, bearer)).status, path).toBe(404);
});

test("with a certificate it speaks TLS", async () => {
  const { cert, key } = selfSigned("localhost");
  const dir = await mkdtemp(join(tmpdir(), "audit-agent-tls-"));
  onTestFinished(() => rm(dir, { recursive: true }));
  const tls = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
  await writeFile(tls.cert, cert);
  await writeFile(tls.key, key);
  const { address } = await start(good, "127.0.0.1:0", { tls });
  expect(address).toMatch(/^https:/);
  const status = await new Promise((resolve, reject) => {
    const options = { ca: cert, headers: bearer, agent: false, servername: "localhost" };
    https
      .get(new URL("/api/pipeline", address), options, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
      .on("error", reject);
  });
  expect(status).toBe(200);
  await expect(start(good, "127.0.0.1:0", { tls: { ...tls, key: "/nowhere" } })).rejects.toThrow(
    "service.http.tls.key",
  );
});

test("what is asked wrongly is said", async () => {
  const { address } = await start();
  const post = (path: string, body: string) =>
    fetch(address + path, { method: "POST", headers: { ...bearer, "content-type": "application/json" }, body });
  expect((await get(address, "/api/outputs/nobody/pause", bearer, "POST")).body).toContain(
    "no output is called nobody",
  );
  expect((await get(address, "/api/dead-letters?limit=0", bearer)).status).toBe(400);
  expect((await get(address, "/api/events?entries=1&level=loud", bearer)).status).toBe(400);
  const wrong = await post("/api/dead-letters/discard", '{"everything":true}');
  expect(wrong.status).toBe(400);
  expect(await wrong.text()).toContain("everything");
  for (const body of ["{", `{"ids":["${"x".repeat(2_000_000)}"]}`]) {
    expect((await post("/api/dead-letters/discard", body)).status).toBeGreaterThanOrEqual(400);
  }
  expect(asked).toEqual([]);
});

test("a foreign Host header is refused (DNS rebinding)", async () => {
  const { address } = await start();
  for (const host of ["evil.example", "evil.example:2020", "127.0.0.1.evil.example", "localhost.evil"]) {
    expect((await get(address, "/metrics", { host })).status, host).toBe(421);
  }
  for (const host of ["localhost", "LOCALHOST:2020", "127.0.0.1:1", "[::1]:2020"]) {
    expect((await get(address, "/metrics", { host })).status, host).toBe(200);
  }
});

test("listening everywhere takes every name", async () => {
  const { address } = await start(good, "0.0.0.0:0");
  const port = new URL(address).port;
  expect((await get(`http://127.0.0.1:${port}`, "/healthz", { host: "audit-agent:2020" })).status).toBe(200);
});

test("a port that is taken: says so and what to change", async () => {
  const { address } = await start();
  const taken = `127.0.0.1:${new URL(address).port}`;
  await expect(start(good, taken)).rejects.toThrow(
    `cannot listen on ${taken}: the address is in use; set service.http.listen to another address`,
  );
  await expect(start(good, "127.0.0.1:99999")).rejects.toThrow("port up to 65535");
  await expect(start(good, "203.0.113.1:0")).rejects.toThrow("no such address");
});

test("garbage and silent connections neither stop the server nor its closing", async () => {
  const server = await start();
  const { hostname, port } = new URL(server.address);
  const silent = connect(Number(port), hostname);
  silent.on("error", () => {});
  const garbage = connect(Number(port), hostname, () => garbage.write("\u0000\u0001\r\n\r\n"));
  garbage.on("error", () => {});
  await new Promise((resolve) => garbage.on("close", resolve).resume());
  expect((await get(server.address, "/healthz")).status).toBe(200);
  await server.close();
  silent.destroy();
});
