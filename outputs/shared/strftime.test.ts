import { expect, test } from "vitest";
import { timeTemplate, timeTemplateProblem } from "./strftime.ts";

const at = (iso: string) => Date.parse(iso);

test.each([
  ["audit-logs-%Y.%m.%d", "2026-02-01T23:59:59.999Z", "audit-logs-2026.02.01"],
  ["%F/%H%M%S", "2026-02-01T03:04:05Z", "2026-02-01/030405"],
  ["%y %j %s", "2026-12-31T00:00:00Z", "26 365 1798675200"],
  ["100%%-%Y", "1970-01-01T00:00:00Z", "100%-1970"],
  ["plain", "2026-02-01T00:00:00Z", "plain"],
  ["%G-W%V", "2021-01-03T00:00:00Z", "2020-W53"],
  ["%G-W%V", "2021-01-04T00:00:00Z", "2021-W01"],
  ["%G-W%V", "2024-12-30T00:00:00Z", "2025-W01"],
  ["%G-W%V", "2026-01-01T12:00:00Z", "2026-W01"],
  ["%Y-%j", "2024-12-31T23:00:00Z", "2024-366"],
  ["%d", "1969-12-31T23:59:59.999Z", "31"],
])("%s of %s is %s", (template, time, name) => {
  expect(timeTemplate(template).format(at(time))).toBe(name);
});

test("a remembered name ends with its period, forwards and backwards", () => {
  const t = timeTemplate("%Y.%m.%d");
  const midnight = at("2026-02-02T00:00:00Z");
  expect([midnight - 1, midnight, midnight + 1, midnight - 1, midnight + 86_400_000].map((ms) => t.format(ms))).toEqual(
    ["2026.02.01", "2026.02.02", "2026.02.02", "2026.02.01", "2026.02.03"],
  );
  const minute = timeTemplate("%H:%M");
  expect([at("2026-02-02T10:59:59.9Z"), at("2026-02-02T11:00:00Z")].map((ms) => minute.format(ms))).toEqual([
    "10:59",
    "11:00",
  ]);
});

test("periods tell how fine a template is", () => {
  expect(["x", "%Y", "%H", "%Y%M", "%S"].map((t) => timeTemplate(t).period)).toEqual([
    Infinity,
    86_400_000,
    3_600_000,
    60_000,
    1_000,
  ]);
});

test("an unknown conversion is named", () => {
  expect(timeTemplateProblem("a-%Y")).toBeUndefined();
  expect(timeTemplateProblem("a-%Q")).toMatch(/^%Q is unknown here; known are %Y /);
  expect(timeTemplateProblem("a-%")).toMatch(/single %/);
  expect(timeTemplateProblem("%constructor")).toMatch(/^%c is unknown/);
  expect(() => timeTemplate("%L")).toThrow(/%L is unknown/);
});
