/** `audit-agent queue inspect`: what waits on disk for which output, and whether it is whole. Changes nothing; works beside a running agent. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { type ResolvedConfig, tagMatcher } from "../api/config.ts";
import type { Inspected, InspectedBlock, InspectedCursor } from "../queue/inspect.ts";
import { bytes, type CommandContext, EXIT, load, messageOf, table } from "./context.ts";
import { keysOf } from "./keys.ts";

export async function inspectQueue(file: string, context: CommandContext): Promise<number> {
  const loaded = await load(file, context);
  if (loaded === undefined) return EXIT.usage;
  const { config } = loaded;
  const dir = join(config.service.data_dir, "queue");
  const exists = await access(dir).then(
    () => true,
    () => false,
  );
  if (!exists) {
    context.err(`${dir} does not exist: no agent has run with this configuration yet\n`);
    return EXIT.usage;
  }
  try {
    const { inspectQueue: inspect } = await import("../queue/inspect.ts");
    const inspected = await inspect({ dir, ...keysOf(config.service) });
    context.out(report(dir, inspected, config));
    return inspected.segments.some(damaged) || inspected.damaged.length > 0 ? EXIT.failed : EXIT.fine;
  } catch (error) {
    context.err(`${messageOf(error)}\n`);
    return EXIT.usage;
  }
}

function report(dir: string, { segments, cursors, damaged: aside }: Inspected, config: ResolvedConfig): string {
  const used = segments.reduce((sum, segment) => sum + segment.size, 0);
  const blocks = segments.flatMap((segment) => segment.blocks);
  const noun = segments.length === 1 ? "segment" : "segments";
  const head = `Queue ${dir}: ${bytes(used)} of ${bytes(config.service.queue.max_bytes)}, ${segments.length} ${noun}\n`;
  const places =
    cursors.length === 0
      ? "No output has a place in it yet.\n"
      : table(cursors.map((cursor) => waiting(cursor, blocks, config)));
  const problems: string[] = [];
  for (const { path, problem, gaps, headerIntact } of segments) {
    if (problem !== undefined) problems.push(`${path}: ${problem}`);
    else if (!headerIntact) problems.push(`${path}: its header is damaged; what follows is whole`);
    for (const gap of gaps) if (gap.ours) problems.push(`${path}: bytes ${gap.from} to ${gap.to}: ${gap.reason}`);
  }
  for (const name of aside) problems.push(`${join(dir, "damaged", name)}: set aside`);
  const state = problems.length === 0 ? "No damage.\n" : `Damaged:\n${table(problems.map((problem) => [problem]))}`;
  return head + places + state;
}

function damaged(segment: Inspected["segments"][number]): boolean {
  return segment.problem !== undefined || !segment.headerIntact || segment.gaps.some((gap) => gap.ours);
}

/** A line per place in the queue: alias, records, bytes, and whose it is where no output has that alias. */
function waiting(
  { alias, record }: InspectedCursor,
  blocks: readonly InspectedBlock[],
  config: ResolvedConfig,
): string[] {
  if (!record) return [alias, "its place is damaged: it starts again at the oldest entry"];
  const output = config.outputs.find((one) => one.alias === alias);
  const tags = record.tags;
  const matches = output ? tagMatcher(output.match) : (tag: string) => tags === null || tags.includes(tag);
  let records = 0;
  let size = 0;
  for (const block of blocks) {
    if (block.seq < record.seq || block.records === 0 || !matches(block.tag)) continue;
    const settled = block.seq === record.seq ? record.index : 0;
    records += block.records - settled;
    size += Math.round((block.bytes * (block.records - settled)) / block.records);
  }
  const orphan = output ? "" : "orphan: no enabled output has this alias";
  return [alias, `${records.toLocaleString("en-US")} waiting`, bytes(size), orphan];
}
