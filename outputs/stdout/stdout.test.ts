import { PassThrough, Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../agent/api/clock.ts";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { outputContract } from "../../test/contract/output-contract.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import stdout from "./index.ts";
import { type StdoutFormat, StdoutOutput, type Target } from "./output.ts";
import { prettyFields } from "./pretty.ts";

const context = {
  alias: "out",
  node: "n",
  version: "0",
  clock: systemClock,
  emit: () => {},
  fields: new Scanner([...prettyFields, "metadata"]),
};
const plan = { id: "p", repeat: false };
const never = new AbortController().signal;

function open(target: Target, format: StdoutFormat = "json"): StdoutOutput {
  return new StdoutOutput(target, format, context);
}

/** A stream as `process.stdout` is one, read back from memory. */
class Sink extends Writable {
  readonly chunks: Buffer[] = [];
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.chunks.push(Buffer.from(chunk));
    done();
  }
  lines(): string[] {
    return Buffer.concat(this.chunks).toString().split("\n").slice(0, -1);
  }
}

let sink: Sink;
const overSink = {
  ...stdout,
  create: (_options: Record<string, unknown>, outputContext: typeof context) =>
    new StdoutOutput(sink, "json", outputContext),
} as unknown as AnyOutputDefinition;

outputContract(
  overSink,
  async () => {
    sink = new Sink();
    const mine = sink;
    return { options: {}, received: async () => mine.lines(), stop: async () => {} };
  },
  {
    skip: {
      unavailable: "a stream that has gone does not come back",
      drop: "a stream that has gone does not come back",
      throttled: "a stream has no such answer; a slow reader is tried below",
      refused: "a stream refuses no record",
      hang: "tried below, with a reader that stops",
      restart: "a stream does not come back",
      answerEarly: "a stream does not answer",
    },
  },
);

describe("standard output", () => {
  it("waits for a slow reader, and obeys the abort signal meanwhile", async () => {
    const slow = new PassThrough({ highWaterMark: 16 });
    const output = open(slow);
    const abort = new AbortController();
    const waiting = output.write([batchOf(entries(10))], plan, abort.signal);
    abort.abort(new Error("stop"));
    await expect(waiting).rejects.toThrow("stop");
    slow.resume();
    await expect(output.write([batchOf(entries(1))], plan, never)).resolves.toEqual({});
    await output.close();
  });

  it("is blocked, and says why, once the reader has gone", async () => {
    const pipe = new Writable({
      write: (_chunk, _encoding, done) => done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
    });
    const output = open(pipe);
    const blocked = { blocked: "nobody reads standard output any more" };
    expect(await output.write([batchOf(entries(1))], plan, never)).toEqual(blocked);
    expect(await output.write([batchOf(entries(1))], plan, never)).toEqual(blocked);
    await expect(output.probe()).rejects.toThrow("nobody reads");
  });

  it("does not take what a closing stream still holds for written", async () => {
    const stuck = new Writable({ write: () => {} });
    const output = open(stuck);
    const writing = output.write([batchOf(entries(1))], plan, never);
    stuck.destroy();
    expect(await writing).toMatchObject({ blocked: expect.any(String) });
  });
});

describe("pretty", () => {
  async function pretty(line: string | Buffer, tty = false): Promise<string> {
    const target = Object.assign(new Sink(), { isTTY: tty });
    await open(target, "pretty").write([batchOf([line])], plan, never);
    return target.lines().join("\n");
  }

  it("names what matters on one line", async () => {
    const entry =
      '{"timestamp":"2026-02-01T10:00:00+01:00","action":"login","resource_type":"session","resource_id":"s1","user_id":"ann","success":false,"ip_address":"10.0.0.1"}';
    expect(await pretty(entry)).toBe(
      "2026-02-01T09:00:00.000Z WARNING session.login  actor=ann  resource=session/s1  ip=10.0.0.1  failure",
    );
    expect(await pretty("{}")).toBe("2026-02-01T00:00:00.000Z INFO    -");
  });

  it("has colours on a terminal only, and lets no entry write its own", async () => {
    const entry = '{"event":"a\\u001b[31mb\\nc\\u202e","level":"error"}';
    expect(await pretty(entry)).toContain("ERROR   a\\u{1b}[31mb\\u{a}c\\u{202e}");
    expect(await pretty(entry, true)).toContain("\u001b[31mERROR  \u001b[0m a\\u{1b}[31mb");
    expect(await pretty("x\u001b]0;title\u0007y")).toContain("TEXT    x\\u{1b}]0;title\\u{7}y");
  });

  it("cuts what is long", async () => {
    expect((await pretty("x".repeat(100_000))).length).toBeLessThan(300);
  });
});
