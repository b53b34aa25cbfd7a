import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";

const GIB = Number(process.env.BACKLOG_BYTES ?? 1 << 30);

/** In a process of its own, so that its memory is the queue's alone. */
const program = (dir: string) => `
  const { openQueue } = await import(${JSON.stringify(new URL("../../agent/queue/queue.ts", import.meta.url).href)});
  const { RecordBatch } = await import(${JSON.stringify(new URL("../../agent/api/batch.ts", import.meta.url).href)});
  const clock = { now: () => Date.now(), monotonic: () => performance.now() };
  const open = () => openQueue({ dir: ${JSON.stringify(dir)}, maxBytes: 8 * 2 ** 30, segmentBytes: 32 << 20, reserveBytes: 0,
    compression: "none", clock, emit: (event) => console.error(event) });
  const options = { match: () => true, start: "oldest", onFull: "block", onDrop() {} };
  let peak = 0;
  const look = () => { peak = Math.max(peak, process.memoryUsage().rss); };
  let queue = await open();
  await queue.openReader({ alias: "down", ...options });
  const up = await queue.openReader({ alias: "up", ...options });
  let n = 0;
  for (let size = 0; size < ${GIB}; ) {
    const count = 1 + (n % 2000);
    const buffer = Buffer.alloc(count * 468, 120);
    const starts = Uint32Array.from({ length: count }, (_, i) => i * 468);
    const ends = starts.map((start) => start + 467);
    const batch = new RecordBatch({ buffer, starts, ends, offsets: Float64Array.from(starts), count, tag: "t",
      source: { id: "s", input: "in", group: "g" }, readTime: 1, positions: [{ key: "k", value: String(n) }] });
    await queue.append(batch, { read: count, created: 0, filtered: 0, states: [] });
    while (await up.next());
    await up.commit(up.position, null);
    size += buffer.length; n++; look();
  }
  const written = peak;
  await queue.close();
  queue = await open();
  const down = await queue.openReader({ alias: "down", ...options });
  const backlog = down.backlog().records;
  let records = 0;
  for (let block = await down.next(); block; block = await down.next()) {
    records += block.batch.count;
    look();
    if (records % 7 === 0) await down.commit(down.position, null);
  }
  await down.commit(down.position, null);
  console.log(JSON.stringify({ written: written / 2 ** 20, peak: peak / 2 ** 20, backlog, records, left: down.backlog().records }));
  await queue.close();
`;

it("memory stays flat while a gibibyte waits, and while it is read", async () => {
  const dir = join(tmpdir(), `audit-agent-memory-${process.pid}`);
  try {
    const child = spawnSync(process.execPath, ["--input-type=module", "-e", program(dir)], { encoding: "utf8" });
    expect(child.stderr).toBe("");
    const { peak, backlog, records, left } = JSON.parse(child.stdout) as Record<string, number>;
    expect(records).toBe(backlog);
    expect(left).toBe(0);
    // The bare process is about 50, the queue's own limit 16; the rest is what the collector has not seen yet.
    expect(peak).toBeLessThan(200);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});
