import { expect, test } from "vitest";
import { seededIntegers } from "../../test/fakes/random.ts";
import { KeySearch } from "./key-search.ts";

test("agrees with looking at each line, whatever the order", () => {
  const next = seededIntegers(5);
  const pieces = ['{"a":1}', '{"hash":2}', '{"x_hash":"y"}', '{"hashes":3}', '{"h\\u0061sh":1}', '"\\n"', "hash", '"'];
  for (let round = 0; round < 300; round++) {
    const lines = Array.from({ length: 1 + (next() % 20) }, () => pieces[next() % pieces.length]!);
    const buffer = Buffer.from(lines.join("\n"));
    const search = new KeySearch(buffer, "hash");
    for (let asked = 0; asked < 30; asked++) {
      const k = round % 2 === 0 ? asked % lines.length : next() % lines.length;
      const start = Buffer.byteLength(lines.slice(0, k).join("\n")) + (k > 0 ? 1 : 0);
      const line = lines[k]!;
      expect(search.mayHave(start, start + Buffer.byteLength(line))).toBe(
        line.includes('hash"') || line.includes("\\"),
      );
    }
  }
});
