/** The contract suite on trial: a good output passes every scenario, and each kind of broken one is caught by a scenario that says so. */
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { RecordBatch } from "../../agent/api/batch.ts";
import type { OutputContext } from "../../agent/api/context.ts";
import { type Secret, secret } from "../../agent/api/options.ts";
import type { Failure, Output, WriteResult } from "../../agent/api/output.ts";
import { type AnyOutputDefinition, defineOutput } from "../../agent/api/plugin.ts";
import { Encoder } from "../../outputs/shared/encode.ts";
import { ByteWriter } from "../../outputs/shared/writer.ts";
import { type Harness, type Mode, REFUSED } from "./harness.ts";
import { outputContract, runScenario } from "./output-contract.ts";
import { scenarios } from "./scenarios.ts";

const TOKEN = "token-0123456789";
const RETRY_AFTER_MS = 7_000;

/** A destination in memory. Answers per record: stored or refused; or for all: throttled. Throws where it is unavailable. */
class Memory {
  stored: string[] = [];
  mode: Mode | undefined;

  /** Set: requests are answered before they are read, and read slowly. */
  early: { bodies: Buffer[]; reading: Promise<void>[] } | undefined;

  /** Reads a request's body as a slow server does: the sender's memory is looked at long after the answer. */
  read(body: Buffer): void {
    const { early } = this;
    if (early === undefined) return;
    const copy = Buffer.alloc(body.length);
    early.bodies.push(copy);
    const quarter = Math.ceil(body.length / 4);
    const step = async () => {
      for (let at = 0; at < body.length; at += quarter) {
        body.copy(copy, at, at, at + quarter);
        await new Promise(setImmediate);
      }
    };
    early.reading.push(step());
  }

  async put(lines: readonly string[], signal: AbortSignal): Promise<"throttled" | boolean[]> {
    const { mode } = this;
    if (mode === "unavailable") throw new Error("connection refused");
    if (mode === "drop") throw new Error("connection reset");
    if (mode === "throttled" || this.early) return "throttled";
    if (mode === "hang") {
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    }
    signal.throwIfAborted();
    const fine = lines.map((line) => mode !== "refused" || !line.includes(REFUSED));
    this.stored.push(...lines.filter((_, i) => fine[i]));
    return fine;
  }
}
/** Destinations by their address, as an output would look one up. */
const destinations = new Map<string, Memory>();

class Good implements Output {
  protected readonly memory: Memory;
  protected readonly token: Secret;
  readonly #encoder: Encoder;

  constructor(options: { address: string; token: Secret }, context: OutputContext) {
    this.memory = destinations.get(options.address)!;
    this.token = options.token;
    const { fields, emit, alias } = context;
    this.#encoder = new Encoder({ fields, format: "json", nonFinite: "null", emit, alias });
  }

  protected encode(batches: readonly RecordBatch[]): string[] {
    const lines: string[] = [];
    for (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const writer = new ByteWriter();
        this.#encoder.encode(batch, i, writer);
        lines.push(writer.view().toString());
      }
    }
    return lines;
  }

  protected body(lines: readonly string[]): Buffer {
    return Buffer.from(lines.join("\n"));
  }

  async write(batches: readonly RecordBatch[], _plan: { repeat: boolean }, signal: AbortSignal): Promise<WriteResult> {
    const lines = this.encode(batches);
    this.memory.read(this.body(lines));
    const answer = await this.memory.put(lines, signal);
    if (answer === "throttled") {
      return { failed: all(lines, { action: "retry", reason: "too many requests" }), pauseMs: RETRY_AFTER_MS };
    }
    const failed = new Map<number, Failure>();
    answer.forEach((fine, i) => {
      if (!fine) failed.set(i, { action: "reject", reason: "refused" });
    });
    return { failed };
  }

  async probe(): Promise<void> {
    if (this.memory.mode === "unavailable") throw new Error("connection refused");
  }

  async close(): Promise<void> {}
}

function all(lines: readonly unknown[], failure: Failure): Map<number, Failure> {
  return new Map(lines.map((_, i) => [i, failure]));
}

type Make = new (options: { address: string; token: Secret }, context: OutputContext) => Output;

function definitionOf(
  output: Make,
  guarantee: "at-least-once" | "exactly-once" = "at-least-once",
): AnyOutputDefinition {
  const options = z.strictObject({ address: z.string(), token: secret("Token.") });
  return defineOutput<typeof options>({
    name: "memory",
    summary: "Keeps records in memory.",
    options,
    example: { address: "a", token: "t" },
    limits: { records: 10_000, bytes: 1e8, overhead: 0 },
    guarantee: () => guarantee,
    create: (parsed, context) => new output(parsed, context),
  });
}

async function start(): Promise<Harness> {
  const memory = new Memory();
  const address = String(destinations.size);
  destinations.set(address, memory);
  return {
    options: { address, token: TOKEN },
    received: async () => memory.stored,
    fail: (mode) => {
      memory.mode = mode;
    },
    heal: () => {
      memory.mode = undefined;
    },
    restart: async () => {},
    async answerEarly() {
      const early = { bodies: [] as Buffer[], reading: [] as Promise<void>[] };
      memory.early = early;
      return { bodies: () => early.bodies, done: async () => void (await Promise.all(early.reading)) };
    },
    retryAfterMs: RETRY_AFTER_MS,
    promptMs: 100,
    secrets: [TOKEN],
    stop: async () => {},
  };
}

outputContract(definitionOf(Good), start);

describe("the suite catches an output that", () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closing.splice(0)) await close();
  });

  const broken: Record<string, { output: Make; by: string; says: string; guarantee?: "exactly-once" }> = {
    "calls every answer delivered": {
      by: "an outage loses nothing",
      says: "nothing counts as stored during an outage",
      output: class extends Good {
        override async write(...[batches, plan, signal]: Parameters<Output["write"]>): Promise<WriteResult> {
          await super.write(batches, plan, signal).catch(() => {});
          return {};
        }
      },
    },
    "takes a throttled answer for success": {
      by: "throttled asks for a pause",
      says: "nothing counts as stored",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          return { ...(await super.write(...args)), failed: new Map() };
        }
      },
    },
    "rejects what should be retried": {
      by: "a dropped connection loses nothing",
      says: "an outage is no reason to reject",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          return await super.write(...args).catch(() => ({
            failed: all(this.encode(args[0]), { action: "reject", reason: "error" }),
          }));
        }
      },
    },
    "retries what never works": {
      by: "only the refused record is rejected",
      says: "1 records not settled after 5 attempts",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          const { failed = new Map<number, Failure>() } = await super.write(...args);
          return { failed: new Map([...failed].map(([i, { reason }]) => [i, { action: "retry", reason }])) };
        }
      },
    },
    "rejects the whole batch for one bad record": {
      by: "only the refused record is rejected",
      says: "exactly the bad record is rejected",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          const { failed } = await super.write(...args);
          return failed?.size ? { failed: all(this.encode(args[0]), { action: "reject", reason: "refused" }) } : {};
        }
      },
    },
    "ignores Retry-After": {
      by: "throttled asks for a pause",
      says: "a pause of 7000 ms is asked for, 0 passed on",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          const { failed } = await super.write(...args);
          return failed ? { failed } : {};
        }
      },
    },
    "throws when throttled, so that no pause is asked for": {
      by: "throttled asks for a pause",
      says: "throws, so no pause is asked for",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          const result = await super.write(...args);
          if (result.pauseMs) throw new Error("429");
          return result;
        }
      },
    },
    "ignores the abort signal": {
      by: "a hanging destination does not hold the abort signal",
      says: "abort: nothing happened",
      output: class extends Good {
        override async write(batches: readonly RecordBatch[], plan: { repeat: boolean }): Promise<WriteResult> {
          return await super.write(batches, plan, new AbortController().signal);
        }
      },
    },
    "drops the last record": {
      by: "all records in order",
      says: "999 of 1000 records arrived",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return super.encode(batches).slice(0, -1);
        }
      },
    },
    "forgets all batches but the first": {
      by: "all records in order",
      says: "400 of 1000 records arrived",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return super.encode(batches.slice(0, 1));
        }
      },
    },
    "sends dropped records, reading the buffer instead of the spans": {
      by: "dropped records stay dropped",
      says: "as many records arrive as were sent",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return batches.flatMap((batch) => batch.buffer.toString().trimEnd().split("\n"));
        }
      },
    },
    "changes the order": {
      by: "all records in order",
      says: "record 0 arrives in its place",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return super.encode(batches).reverse();
        }
      },
    },
    "glues records together": {
      by: "all records in order",
      says: "999 of 1000 records arrived",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          const lines = super.encode(batches);
          return lines.length > 1 ? [lines.slice(0, 2).join(""), ...lines.slice(2)] : lines;
        }
      },
    },
    "parses and prints again": {
      by: "all records in order",
      says: "record 0 arrives in its place with its own bytes",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return super.encode(batches).map((line) => JSON.stringify(JSON.parse(line)));
        }
      },
    },
    "loses a field of the chain": {
      by: "the chain of what arrived verifies",
      says: "the chain breaks at entry 0",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          return super.encode(batches).map((line) => line.replace(/,"success":(true|false)/, ""));
        }
      },
    },
    "leaks a secret in an error": {
      by: "no secret is said",
      says: "a secret shows",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          return await super.write(...args).catch((error: Error) => {
            throw new Error(`POST with ${this.token.reveal()}: ${error.message}`);
          });
        }
      },
    },
    "leaks a secret in an error's properties": {
      by: "no secret is said",
      says: "a secret shows",
      output: class extends Good {
        override async write(...args: Parameters<Output["write"]>): Promise<WriteResult> {
          return await super.write(...args).catch((error: Error) => {
            throw Object.assign(error, { request: { headers: { authorization: this.token.reveal() } } });
          });
        }
      },
    },
    "keeps a handle open": {
      by: "close leaves nothing behind",
      says: "handles are left open: Timeout",
      output: class extends Good {
        readonly #timer = setTimeout(() => {}, 60_000);
        override async probe(): Promise<void> {
          clearTimeout(this.#timer);
        }
      },
    },
    "cannot be closed twice": {
      by: "close leaves nothing behind",
      says: "closed already",
      output: class extends Good {
        #closed = false;
        override async close(): Promise<void> {
          if (this.#closed) throw new Error("closed already");
          this.#closed = true;
        }
      },
    },
    "still reads the records when it has settled": {
      by: "all records in order",
      says: "record 0 arrives in its place with its own bytes",
      output: class extends Good {
        override async write(batches: readonly RecordBatch[]): Promise<WriteResult> {
          const views = batches.flatMap((batch) => Array.from({ length: batch.count }, (_, i) => batch.bytes(i)));
          setImmediate(() => this.memory.stored.push(...views.map(String)));
          return {};
        }
      },
    },
    "changes the buffer": {
      by: "additions are merged once",
      says: "the output changed the records' own bytes",
      output: class extends Good {
        protected override encode(batches: readonly RecordBatch[]): string[] {
          const lines = super.encode(batches);
          for (const batch of batches) batch.buffer[batch.ends[0]!] = 0x20;
          return lines;
        }
      },
    },
    "says exactly once and stores twice": {
      by: "exactly once after a repeated write",
      says: "as many records arrive as were sent",
      guarantee: "exactly-once",
      output: Good,
    },
    "sends an event when probed": {
      by: "probe sends nothing",
      says: "a probe stores nothing",
      output: class extends Good {
        override async probe(): Promise<void> {
          this.memory.stored.push("{}");
        }
      },
    },
    "finds everything fine when probed": {
      by: "probe fails on an outage",
      says: "a probe finds an outage",
      output: class extends Good {
        override async probe(): Promise<void> {}
      },
    },
    "reuses a buffer that is still being sent": {
      by: "an early 429 with a slow reader mixes no bytes",
      says: "carries the bytes of 2 writes",
      output: class extends Good {
        readonly #pooled = Buffer.alloc(8_000_000);
        protected override body(lines: readonly string[]): Buffer {
          return this.#pooled.subarray(0, this.#pooled.write(lines.join("\n")));
        }
      },
    },
    "mixes the bytes of parallel writes": {
      by: "parallel writes do not mix",
      says: "every record of every write arrives",
      output: class extends Good {
        #shared: string[] = [];
        override async write(...[batches, plan, signal]: Parameters<Output["write"]>): Promise<WriteResult> {
          this.#shared = this.encode(batches);
          await new Promise(setImmediate);
          await this.memory.put(this.#shared, signal);
          return plan.repeat ? {} : {};
        }
      },
    },
  };

  test.each(Object.entries(broken))("%s", async (_, { output, by, says, guarantee }) => {
    const scenario = scenarios.find(({ name }) => name === by)!;
    const run = runScenario(
      scenario,
      definitionOf(output, guarantee),
      await start(),
      (close) => void closing.push(close),
    );
    await expect(run).rejects.toThrow(says);
    // A handle left open, and a second close, are what these two are about.
    closing.splice(0);
  });

  test("keeps the names that CONTRIBUTING.md cites apart", () => {
    expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length);
  });
});
