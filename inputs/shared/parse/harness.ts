/** For tests of framers: runs them as an engine would, over any chunking and from any resume point. */
import { createHash } from "node:crypto";
import * as fc from "fast-check";
import { expect } from "vitest";
import { createFramer, type Framed, type FramerOptions } from "./framer.ts";

export interface Found {
  offset: number;
  text: string;
  flags: number;
  cut?: { length: number; sha256: string };
}

export interface Run {
  records: Found[];
  /** Every resume point, with the number of records returned before it. */
  resumes: { at: number; returned: number }[];
  pushes: number;
}

export function found(framed: Framed): Found[] {
  return Array.from({ length: framed.count }, (_, i) => {
    const cut = framed.cuts?.get(i);
    return {
      offset: framed.offsets[i]!,
      text: framed.buffer.toString("latin1", framed.starts[i]!, framed.ends[i]!),
      flags: framed.flags?.[i] ?? 0,
      ...(cut ? { cut } : {}),
    };
  });
}

/** `sizes` are used in turn; a size larger than what is left reads to the end. */
export function run(options: FramerOptions, source: Buffer, sizes: readonly number[] = [source.length], from = 0): Run {
  const framer = createFramer(options);
  const result: Run = { records: [], resumes: [], pushes: 0 };
  const take = (framed: Framed) => {
    result.records.push(...found(framed));
    result.resumes.push({ at: framed.resume, returned: result.records.length });
    return framed.next;
  };
  for (let at = from, stuck = 0; at < source.length; ) {
    const size = sizes[result.pushes++ % sizes.length]!;
    const next = take(framer.push(source.subarray(at, at + size), at));
    stuck = next === at ? stuck + 1 : 0;
    if (stuck > 1) throw new Error(`no progress at ${at}`);
    at = next;
  }
  take(framer.flush());
  return result;
}

export const sha256 = (bytes: string | Buffer) => createHash("sha256").update(bytes).digest("hex");

/** Any chunking and any restart at a resume point give the records of one big chunk. */
export function checkFramer(
  options: Omit<FramerOptions, "maxLineBytes">,
  sources: fc.Arbitrary<Buffer>,
  numRuns = 400,
): void {
  const sizes = fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 });
  const max = fc.integer({ min: 1, max: 90 });
  void fc.assert(
    fc.property(sources, sizes, sizes, max, fc.nat(), (source, first, second, maxLineBytes, pick) => {
      const whole = run({ ...options, maxLineBytes }, source);
      const pieces = run({ ...options, maxLineBytes }, source, first);
      expect(pieces.records).toEqual(whole.records);
      const resume = pieces.resumes[pick % pieces.resumes.length]!;
      const rest = run({ ...options, maxLineBytes }, source, second, resume.at);
      expect(rest.records).toEqual(whole.records.slice(resume.returned));
      for (let i = 1; i < pieces.resumes.length; i++) {
        expect(pieces.resumes[i]!.at).toBeGreaterThanOrEqual(pieces.resumes[i - 1]!.at);
      }
      expect(pieces.pushes).toBeLessThanOrEqual(source.length * 3 + 3);
    }),
    { numRuns },
  );
}

/** Bytes made of pieces that are likely to matter, with some noise. */
export function soup(...pieces: (string | Buffer)[]): fc.Arbitrary<Buffer> {
  const piece = fc.constantFrom(...pieces.map((p) => Buffer.from(p as string)));
  const noise = fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes));
  return fc
    .array(fc.oneof({ weight: 8, arbitrary: piece }, { weight: 1, arbitrary: noise }), { maxLength: 40 })
    .map((parts) => Buffer.concat(parts));
}
