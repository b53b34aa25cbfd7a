import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { serviceOptions } from "../api/config.ts";
import { Secret } from "../api/options.ts";
import { differences, made, serviceDifferences } from "./differences.ts";

interface Part {
  readonly alias: string;
  readonly options: Record<string, unknown>;
}
const before = (...parts: Part[]) => new Map(parts.map((part) => [part.alias, made(part)]));
const changes = (old: Part, now: Part) => differences("output", before(old), [now]).map(({ change }) => change);

it("by value: secrets by what they hold, expressions and dates too", () => {
  const part = (options: Record<string, unknown>) => ({ alias: "a", options });
  const of = (token: string) =>
    part({ token: new Secret(token), at: /x/i, list: [{ a: 1 }, undefined], none: undefined });
  expect(changes(of("one"), of("one"))).toEqual([]);
  expect(changes(of("one"), of("two"))).toEqual(["changed"]);
  expect(changes(part({ at: /x/i }), part({ at: /x/ }))).toEqual(["changed"]);
  expect(changes(part({ list: [1, 2] }), part({ list: [1] }))).toEqual(["changed"]);
  expect(changes(part({ a: 1, none: undefined }), part({ a: 1 }))).toEqual([]);
  expect(changes(part({ token: new Secret("x") }), part({ token: "x" }))).toEqual(["changed"]);
});

it("added, changed and removed, in the order of the new configuration", () => {
  const part = (alias: string, n: number) => ({ alias, options: { n } });
  const found = differences("filter", before(part("a", 1), part("b", 1), part("c", 1)), [
    part("d", 1),
    part("c", 2),
    part("a", 1),
  ]);
  expect(found).toEqual([
    { kind: "filter", name: "d", change: "added" },
    { kind: "filter", name: "c", change: "changed" },
    { kind: "filter", name: "b", change: "removed" },
  ]);
});

it("a certificate renewed under the same path is a change", () => {
  const dir = mkdtempSync(join(tmpdir(), "audit-agent-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const ca = join(dir, "ca.pem");
  writeFileSync(ca, "one");
  const part = { alias: "a", options: { tls: { ca, verify: true } } };
  const known = before(part);
  expect(differences("output", known, [part])).toEqual([]);
  rmSync(ca);
  writeFileSync(ca, "another");
  expect(differences("output", known, [part])).toHaveLength(1);
});

it("of the service: what takes effect at once, and what only at the next start", () => {
  const options = (more: object) => serviceOptions.parse({ data_dir: "/d", ...more });
  const old = options({});
  expect(serviceDifferences(old, options({}))).toEqual({ changed: [], later: [] });
  expect(serviceDifferences(old, options({ shutdown_timeout: "3s", queue: { max_bytes: "2GiB" }, http: {} }))).toEqual({
    changed: ["shutdown_timeout", "queue", "http"],
    later: ["queue", "http"],
  });
});
