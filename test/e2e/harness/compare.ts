import { expect } from "vitest";

/** Fails unless every written line is among the received ones exactly once, and nothing else is. Names the first few that are not. */
export function expectExactlyOnce(where: string, written: readonly string[], received: readonly string[]): void {
  const counts = new Map<string, number>();
  for (const line of received) counts.set(line, (counts.get(line) ?? 0) + 1);
  const lost = written.filter((line) => !counts.has(line));
  const twice = [...counts].filter(([, count]) => count > 1).map(([line]) => line);
  const known = new Set(written);
  const foreign = [...counts.keys()].filter((line) => !known.has(line));
  expect(known.size, "the writer never writes a line twice").toBe(written.length);
  expect({ where, lost: sample(lost), twice: sample(twice), foreign: sample(foreign) }).toEqual({
    where,
    lost: sample([]),
    twice: sample([]),
    foreign: sample([]),
  });
}

function sample(lines: readonly string[]): { count: number; first: string[] } {
  return { count: lines.length, first: lines.slice(0, 5).map((line) => line.slice(0, 300)) };
}
