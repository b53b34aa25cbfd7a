import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { CommandContext } from "./context.ts";
import { healthcheck } from "./healthcheck.ts";

let close: (() => void) | undefined;
afterEach(() => close?.());

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => {
    server.close();
    server.closeAllConnections();
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/healthz`;
}

async function check(url: string) {
  let said = "";
  const context = {
    err: (text: string) => {
      said += text;
    },
  } as Partial<CommandContext> as CommandContext;
  return { code: await healthcheck(url, context), said };
}

test("200 is healthy, and nothing is said", async () => {
  expect(await check(await serve((_, response) => response.end("ok")))).toEqual({ code: 0, said: "" });
});

test("another status is not", async () => {
  const url = await serve((_, response) => response.writeHead(503).end());
  expect(await check(url)).toEqual({ code: 1, said: `${url}: HTTP 503\n` });
});

test("nobody there is not", async () => {
  const url = await serve(() => {});
  close!();
  const { code, said } = await check(url);
  expect(code).toBe(1);
  expect(said).toContain("ECONNREFUSED");
});

test("no answer is not, within the time a container gives it", async () => {
  const { code, said } = await check(await serve(() => {}));
  expect(code).toBe(1);
  expect(said).toContain("no answer within 4 s");
});
