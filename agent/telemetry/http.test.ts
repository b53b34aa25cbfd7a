import { request } from "node:http";
import { connect } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { Health } from "./health.ts";
import { type HttpServer, startHttp } from "./http.ts";

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

async function start(health: Health = good, listen = "127.0.0.1:0") {
  const server = await startHttp(listen, { health: () => health, metrics: async () => "audit_agent_up 1\n" });
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
    const answer = await get(address, path);
    expect(answer.status).toBe(200);
    expect(answer.headers["x-content-type-options"]).toBe("nosniff");
    expect(answer.headers["content-security-policy"]).toContain("default-src 'none'");
  }
  expect((await get(address, "/metrics")).body).toBe("audit_agent_up 1\n");
  expect((await get(address, "/metrics")).headers["content-type"]).toContain("text/plain; version=0.0.4");
  expect(JSON.parse((await get(address, "/health")).body)).toEqual(good);
});

test("alive is not ready is not healthy", async () => {
  const { address } = await start({ ...good, status: "degraded", ready: false, problems: ["x"] });
  expect((await get(address, "/healthz")).status).toBe(200);
  expect((await get(address, "/readyz")).status).toBe(503);
  expect((await get(address, "/health")).status).toBe(503);
});

test("nothing else is there", async () => {
  const { address } = await start();
  for (const path of ["/", "/metrics/x", "/%2e%2e/etc/passwd", "/health%00", `/${"x".repeat(5000)}`]) {
    const answer = await get(address, path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.status).toBeLessThan(500);
    expect(answer.body).not.toContain("node_modules");
  }
  expect((await get(address, "/health", {}, "POST")).status).toBe(404);
  expect((await get(address, "/health", { "x-big": "x".repeat(20_000) })).status).toBe(431);
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
