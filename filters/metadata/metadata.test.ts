import { hostname } from "node:os";
import { afterEach, expect, test, vi } from "vitest";
import { filtered } from "../shared/testing.ts";
import { metadata } from "./index.ts";

afterEach(() => vi.unstubAllEnvs());

async function additions(settings: object): Promise<Record<string, unknown>> {
  const { output } = await filtered(metadata, settings, ['{"event":"a"}']);
  return Object.fromEntries(output.additions.map(({ path, json }) => [path.join("/"), JSON.parse(json.toString())]));
}

test("adds what is given, any JSON value", async () => {
  const add = { a: "x", b: 1.5, c: null, d: { e: [true] }, "k k": "ü" };
  expect(await additions({ add })).toEqual({
    "metadata/a": "x",
    "metadata/b": 1.5,
    "metadata/c": null,
    "metadata/d": { e: [true] },
    "metadata/k k": "ü",
  });
});

test("includes the host, the agent and the environment; what is not set is left out", async () => {
  vi.stubEnv("ENVIRONMENT", "prod");
  vi.stubEnv("DEPLOYMENT_ID", "");
  vi.stubEnv("REGION", undefined);
  vi.stubEnv("AWS_REGION", undefined);
  vi.stubEnv("AWS_DEFAULT_REGION", "eu-central-1");
  const include = ["hostname", "pid", "version", "node", "environment", "deployment_id", "region"];
  expect(await additions({ include })).toEqual({
    "metadata/hostname": hostname(),
    "metadata/pid": process.pid,
    "metadata/version": "1.2.3",
    "metadata/node": "host-1",
    "metadata/environment": "prod",
    "metadata/region": "eu-central-1",
  });
  const { warnings } = metadata.check!(metadata.options.parse({ include }));
  expect(warnings).toEqual([{ path: ["include", 5], message: "DEPLOYMENT_ID is not set: nothing is added" }]);
});

test("`add` wins over `include`", async () => {
  expect(await additions({ add: { hostname: "mine" }, include: ["hostname"] })).toEqual({
    "metadata/hostname": "mine",
  });
});

test("names that objects have of themselves are members like others", async () => {
  const settings = JSON.parse('{"add":{"constructor":1,"toString":2}}') as object;
  expect(await additions(settings)).toEqual({ "metadata/constructor": 1, "metadata/toString": 2 });
});

test("nothing to add: the batch itself", async () => {
  const { input, output } = await filtered(metadata, {}, ["{}"]);
  expect(output).toBe(input);
});

test("options", () => {
  expect(metadata.options.safeParse({ include: ["password"] }).success).toBe(false);
  expect(metadata.options.safeParse({ add: { a: Number.POSITIVE_INFINITY } }).success).toBe(false);
  expect(metadata.options.safeParse(metadata.example).success).toBe(true);
  expect(metadata.fields!({})).toEqual(["metadata", "agent_metadata"]);
});
