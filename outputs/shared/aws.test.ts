/** Whose credentials requests to AWS are signed with, and when they are asked for anew. In front of S3, the same for all. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from "vitest";
import { Secret } from "../../agent/api/options.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import type { FakeS3 } from "../../test/fakes/s3.ts";
import { NOW, type S3Subject, s3Output, startS3, writeS3 } from "../../test/fakes/s3-output.ts";
import { FakeSts } from "../../test/fakes/sts.ts";
import { awsProblems } from "./aws.ts";

const REPEAT = { repeat: true };
const NO_KEYS = { access_key_id: undefined, secret_access_key: undefined };
const ROLE = "arn:aws:iam::123456789012:role/audit";

const folder = mkdtempSync(join(tmpdir(), "aws-test-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

// Nothing of the host's own, and no metadata service to wait for.
beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", join(folder, "none"));
  vi.stubEnv("AWS_CONFIG_FILE", join(folder, "none"));
});
afterEach(() => vi.unstubAllEnvs());

/** Writes a new object each time; answers which key signed the last request. */
function writer(fake: FakeS3, out: S3Subject) {
  return async () => {
    const result = await writeS3(out, batchOf(entries(1)));
    return result.blocked ?? fake.signedBy.at(-1);
  };
}

describe("keys in the options", () => {
  test("from a file are read for every request: a renewed one counts at once", async () => {
    const { readFileSync } = await import("node:fs");
    const id = file("id", "KEY1\n");
    const fake = await startS3();
    const out = await s3Output(fake, { access_key_id: new Secret(() => readFileSync(id, "utf8")) });
    const write = writer(fake, out);
    expect(await write()).toBe("KEY1");
    file("id", "KEY2\n");
    expect(await write()).toBe("KEY2");
  });
});

describe("the SDK's own chain", () => {
  const profile = (key: string) => `[audit]\naws_access_key_id = ${key}\naws_secret_access_key = secret-of-${key}\n`;

  test("a profile's file is read again when its keys are refused", async () => {
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file("credentials", profile("OLD")));
    const fake = await startS3();
    const write = writer(fake, await s3Output(fake, { ...NO_KEYS, profile: "audit" }));
    expect(await write()).toBe("OLD");
    file("credentials", profile("NEW"));
    fake.refusedKeys.set("OLD", "InvalidAccessKeyId");
    expect(await write()).toContain("the access key is unknown");
    expect(await write()).toBe("NEW");
  });

  test("a token that has expired is renewed, also where HEAD says no more than 400", async () => {
    vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", file("credentials", profile("OLD")));
    const fake = await startS3();
    const out = await s3Output(fake, { ...NO_KEYS, profile: "audit" });
    const batch = batchOf(entries(1));
    expect(await writeS3(out, batch)).toEqual({});
    file("credentials", profile("NEW"));
    fake.refusedKeys.set("OLD", "ExpiredToken");
    expect(await writeS3(out, batch, REPEAT)).toEqual({ blocked: "ExpiredToken: the session token has expired" });
    expect(await writeS3(out, batch, REPEAT)).toEqual({ repeated: 1 });
    expect(fake.signedBy.at(-1)).toBe("NEW");
  });

  test("a container's credentials are asked for again shortly before they end, and not more often than once a minute", async () => {
    let asked = 0;
    let ends = 60;
    const server = createServer((_, response) => {
      const Expiration = new Date(NOW + ends * 60_000).toISOString();
      asked++;
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ AccessKeyId: `C${asked}`, SecretAccessKey: "s", Token: "t", Expiration }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    vi.stubEnv("AWS_CONTAINER_CREDENTIALS_FULL_URI", `http://127.0.0.1:${port}/`);
    const fake = await startS3();
    let now = NOW;
    const write = writer(fake, await s3Output(fake, NO_KEYS, () => now));
    const at = async (minutes: number) => {
      now = NOW + minutes * 60_000;
      return await write();
    };
    expect([await at(0), await at(54)]).toEqual(["C1", "C1"]);
    ends = 120;
    expect([await at(56), await at(114)]).toEqual(["C2", "C2"]);
    // It still gives out those that are about to end.
    expect([await at(116), await at(116.5), await at(117.5)]).toEqual(["C3", "C3", "C4"]);
  });

  test("none to be found: it waits and says so, and takes those that come", async () => {
    const fake = await startS3();
    const write = writer(fake, await s3Output(fake, NO_KEYS));
    expect(await write()).toMatch(/^no credentials were found: set `access_key_id`/);
    vi.stubEnv("AWS_ACCESS_KEY_ID", "LATE");
    vi.stubEnv("AWS_SECRET_ACCESS_KEY", "late");
    expect(await write()).toBe("LATE");
  });
});

test("without a region it waits and says so", async () => {
  const fake = await startS3();
  const out = await s3Output(fake, { endpoint: undefined });
  expect(await writeS3(out, batchOf(entries(1)))).toEqual({
    blocked: "no region is known: set `region`, or AWS_REGION",
  });
  expect(fake.requests).toEqual([]);
});

describe("a role", () => {
  async function assumed(more: object = {}) {
    const sts = await FakeSts.start();
    onTestFinished(() => sts.stop());
    const fake = await startS3();
    let now = NOW;
    const out = await s3Output(fake, { assume_role: { role_arn: ROLE, endpoint: sts.url, ...more } }, () => now);
    const write = writer(fake, out);
    const at = async (minutes: number) => {
      now = NOW + minutes * 60_000;
      return await write();
    };
    return { sts, fake, out, write, at };
  }

  test("is asked for once with what the options say, and its credentials sign, token included", async () => {
    const { sts, fake, write } = await assumed({ external_id: "ext-1", duration: "30m" });
    sts.lastsMs = NOW + 3_600_000 - Date.now();
    expect([await write(), await write()]).toEqual(["ROLE1", "ROLE1"]);
    expect(sts.askedBy).toEqual(["a"]);
    expect(Object.fromEntries(sts.asked[0]!)).toMatchObject({
      Action: "AssumeRole",
      RoleArn: ROLE,
      ExternalId: "ext-1",
      DurationSeconds: "1800",
      RoleSessionName: "audit-agent-host-1",
    });
    expect(fake.requests.at(-1)!.headers["x-amz-security-token"]).toBe("role-token-1");
  });

  test("is assumed anew before its credentials end, and when they are refused", async () => {
    const { sts, fake, write, at } = await assumed();
    sts.lastsMs = NOW + 3_600_000 - Date.now();
    expect([await write(), await at(54)]).toEqual(["ROLE1", "ROLE1"]);
    sts.lastsMs += 3_600_000;
    expect([await at(56), await at(57)]).toEqual(["ROLE2", "ROLE2"]);
    fake.refusedKeys.set("ROLE2", "ExpiredToken");
    expect(await write()).toContain("the session token has expired");
    expect(await write()).toBe("ROLE3");
  });

  test("that may not be assumed blocks, in the token service's words; an outage of it is one", async () => {
    const { sts, fake, out, write } = await assumed();
    sts.fail("denied");
    expect(await write()).toMatch(/not authorized to perform: sts:AssumeRole/);
    await sts.stop();
    await expect(writeS3(out, batchOf(entries(1)))).rejects.toThrow(/ECONNREFUSED/);
    expect(fake.objects).toEqual([]);
    await sts.listen();
  });
});

describe("what a configuration has wrong", () => {
  const of = (options: Parameters<typeof awsProblems>[0]) => {
    const { errors, warnings } = awsProblems(options);
    return [...errors, ...warnings].map(({ path, message }) => `${path.join(".")}: ${message}`);
  };
  const key = { access_key_id: new Secret("a"), secret_access_key: new Secret("b") };
  test.each([
    [{}, undefined],
    [key, undefined],
    [{ access_key_id: key.access_key_id }, "secret_access_key: an access key needs both"],
    [{ session_token: new Secret("t") }, "session_token: belongs to"],
    [{ ...key, profile: "x" }, "profile: its credentials are not used"],
    [{ assume_role: { role_arn: ROLE, duration: 60_000 } }, "assume_role.duration: must be 15m to 12h"],
    [{ endpoint: "http://minio:9000" }, "endpoint: is not encrypted"],
  ] as const)("%j", (options, said) => {
    expect(of(options)).toEqual(said === undefined ? [] : [expect.stringContaining(said)]);
  });
});
