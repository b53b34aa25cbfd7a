/** Writes hash chains as the real writers do, as far as verifiers can tell. */
import { createHash } from "node:crypto";
import type { SchemeName } from "../../agent/integrity/scheme.ts";
import { pythonText } from "../../agent/json/python.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

export const GENESIS: Readonly<Record<SchemeName, string>> = {
  "loki-dashboard": "0".repeat(64),
  "loki-agent": "GENESIS",
  app: "None",
};

/** One entry as a line, without its end, and its hash. */
export function entryAfter(scheme: SchemeName, previous: string, n: number, note = ""): { line: string; hash: string } {
  switch (scheme) {
    case "loki-dashboard": {
      const body = `{"action": "read", "n": ${n}, "note": ${JSON.stringify(note)}}`;
      const hash = sha256(previous + canonical(body));
      return { line: `${body.slice(0, -1)}, "_integrity_hash": "${hash}"}`, hash };
    }
    case "app": {
      const body = `{"event": "paid", "n": ${n}, "note": ${JSON.stringify(note)}}`;
      const hash = sha256(`${previous}:${canonical(body)}`);
      const before = previous === "None" ? "null" : `"${previous}"`;
      return { line: `${body.slice(0, -1)}, "prev_hash": ${before}, "hash": "${hash}"}`, hash };
    }
    case "loki-agent": {
      const head = `{"seq":${n},"timestamp":"2026-02-01T00:00:00.000Z","who":"agent","what":"run","where":null,"why":${JSON.stringify(note)},"metadata":null,"previousHash":"${previous}"`;
      const hash = sha256(`${head}}`);
      return { line: `${head},"hash":"${hash}"}`, hash };
    }
  }
}

function canonical(text: string): string {
  const bytes = Buffer.from(text);
  return pythonText(bytes, 0, bytes.length);
}

/** `count` entries in a row. */
export function chainOf(scheme: SchemeName, count: number, previous = GENESIS[scheme], from = 0): string[] {
  const lines: string[] = [];
  let tip = previous;
  for (let i = 0; i < count; i++) {
    const { line, hash } = entryAfter(scheme, tip, from + i);
    lines.push(line);
    tip = hash;
  }
  return lines;
}

/** The hash a line of a chain carries. */
export function hashIn(line: string): string {
  return /"(?:_integrity_hash|hash)": ?"([0-9a-f]{64})"\}$/.exec(line)![1]!;
}
