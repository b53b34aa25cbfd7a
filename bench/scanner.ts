/** How fast entries are scanned on one core: the corpus's shape, 468 bytes an entry. `node bench/scanner.ts [entries]`. */
import { RecordBatch } from "../agent/api/batch.ts";
import { allViewFields, View } from "../agent/api/view.ts";
import { Scanner } from "../agent/json/scanner.ts";

const FIELDS = [
  "timestamp",
  "action",
  "resource_type",
  "resource_id",
  "user_id",
  "token_id",
  "ip_address",
  "success",
  "event",
  "level",
  "metadata",
  "_integrity_hash",
];
const REPEAT = 30;
const COUNT = Number(process.argv[2] ?? 2_000);

function entry(i: number): string {
  const hash = (BigInt(i) * 0x9e3779b97f4a7c15n).toString(16).padStart(20, "0").repeat(4).slice(0, 64);
  const line = `{"timestamp": "2026-02-01T09:${String(i % 60).padStart(2, "0")}:17.123456+00:00", "action": "${["create_token", "stop", "update", "login"][i % 4]}", "resource_type": "${["project", "session", "task"][i % 3]}", "resource_id": ${i % 5 ? `"r-${i}"` : "null"}, "user_id": "${["bob", "alice", "svc-\\ud83d\\udce6"][i % 3]}", "token_id": ${i % 2 ? `"t${i % 90}"` : "null"}, "ip_address": "10.0.0.${i % 250}", "user_agent": "Mozilla/5.0 (X11; Linux x86_64)", "success": ${i % 7 !== 0}, "error": null, "details": {"provider": "claude", "n": ${i % 1000}, "parallel": true, "pad": ""}, "_integrity_hash": "${hash}"}`;
  return line.replace('"pad": ""', `"pad": "${"x".repeat(Math.max(0, 468 - Buffer.byteLength(line)))}"`);
}

function batchOf(lines: readonly string[]): RecordBatch {
  const starts = new Uint32Array(lines.length);
  const ends = new Uint32Array(lines.length);
  let at = 0;
  lines.forEach((line, i) => {
    starts[i] = at;
    at += Buffer.byteLength(line);
    ends[i] = at++;
  });
  const source = { id: "bench", input: "bench", group: "bench" };
  const buffer = Buffer.from(`${lines.join("\n")}\n`);
  return new RecordBatch({
    buffer,
    starts,
    ends,
    offsets: Float64Array.from(starts),
    count: lines.length,
    tag: "bench",
    source,
    readTime: 0,
  });
}

/** CPU time, best of several rounds: what else the machine does only ever makes it slower. */
function measure(name: string, bytes: number, run: () => unknown): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 25; round++) {
    const begin = process.cpuUsage();
    for (let i = 0; i < REPEAT; i++) run();
    const { user, system } = process.cpuUsage(begin);
    best = Math.min(best, ((user + system) * 1000) / REPEAT);
  }
  const perSecond = COUNT / (best / 1e9);
  console.log(
    `${name.padEnd(34)} ${(perSecond / 1e6).toFixed(2)} M entries/s  ${(bytes / 1e6 / (best / 1e9)).toFixed(0)} MB/s  ${(best / COUNT).toFixed(0)} ns/entry`,
  );
}

function scan(batch: RecordBatch, scanner: Scanner): void {
  batch.scanned = undefined;
  scanner.spans(batch);
}

const same = Array.from({ length: COUNT }, (_, i) => entry(i));
const mixed = same.map((line, i) => (i % 2 ? line : JSON.stringify(JSON.parse(line))));
const sparse = same.map((line, i) => (i % 3 ? line : line.replace(/"token_id": [^,]*, /, "")));
for (const [name, lines] of Object.entries({
  "one writer": same,
  "two writers, interleaved": mixed,
  "optional member": sparse,
})) {
  const batch = batchOf(lines);
  const scanner = new Scanner(FIELDS);
  console.log(`# ${name}: ${COUNT} entries, ${Math.round(batch.size() / COUNT)} bytes each`);
  measure("scanner, 12 fields", batch.size(), () => scan(batch, scanner));
}
const batch = batchOf(same);
measure("JSON.parse", batch.size(), () => {
  for (let i = 0; i < batch.count; i++) JSON.parse(batch.buffer.toString("utf8", batch.starts[i], batch.ends[i]));
});

// What the filters' questions cost on top, per entry.
const view = new View(new Scanner(allViewFields));
measure("scanner, all fields of the view", batch.size(), () => {
  batch.scanned = undefined;
  view.level(batch, 0);
});
const asks: Record<string, (i: number) => unknown> = {
  event: (i) => view.event(batch, i),
  level: (i) => view.level(batch, i),
  time: (i) => view.time(batch, i),
  actor: (i) => view.actor(batch, i),
};
for (const [name, ask] of Object.entries(asks)) {
  measure(`view.${name}`, batch.size(), () => {
    for (let i = 0; i < batch.count; i++) ask(i);
  });
}
