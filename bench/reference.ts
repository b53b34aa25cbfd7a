/**
 * The work that the guard compares the agent with: `node bench/reference.ts CORPUS FOLDER PORT`. It does, in the plainest way, what costs
 * the agent its time - reads, looks at every byte, checksums, copies, writes and syncs, compresses, parses a little, sends - so that a busy
 * machine slows both alike. It uses nothing of the agent, which could become faster or slower with it.
 *
 * FROZEN: any change to it changes every ratio. Whoever has to, renews the baseline in the same commit: `npm run bench:guard -- --write`.
 */
import { once } from "node:events";
import { open } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { crc32, gzip } from "node:zlib";

const CHUNK = 1 << 20;
const CHUNKS = 96;
const RECORDS = 16_384;
const SYNC_EVERY = 8;
const PARSE_EVERY = 32;
const GZIP_EVERY = 12;
const NEWLINE = 10;
const QUOTE = 34;
const BACKSLASH = 92;
const PREFIX = Buffer.from('{"create":{"_id":"0123456789abcdefghijkl-"}}\n');

const starts = new Uint32Array(RECORDS);
const ends = new Uint32Array(RECORDS);

/** Finds the whole lines, as a parser does that looks at each byte; answers how many there are. */
function scan(bytes: Buffer): number {
  let count = 0;
  let from = bytes.indexOf(NEWLINE) + 1;
  let quoted = false;
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === BACKSLASH) at++;
    else if (byte === QUOTE) quoted = !quoted;
    else if (byte === NEWLINE && !quoted) {
      starts[count] = from;
      ends[count++] = at;
      from = at + 1;
    }
  }
  return count;
}

function encode(bytes: Buffer, count: number, into: Buffer): number {
  let used = 0;
  for (let i = 0; i < count; i++) {
    used += PREFIX.copy(into, used);
    for (let n = starts[i]! + CHUNK; n > 0; n = Math.floor(n / 10)) into[used++] = 48 + (n % 10);
    used += bytes.copy(into, used, starts[i], ends[i]);
    into[used++] = NEWLINE;
  }
  return used;
}

const [path, folder, port] = process.argv.slice(2);
const input = await open(path!);
const queue = await open(join(folder!, "reference"), "w");
const socket = connect(Number(port), "127.0.0.1");
await once(socket, "connect");
let sum = 0;
for (let i = 0; i < CHUNKS; i++) {
  const bytes = Buffer.allocUnsafeSlow(CHUNK);
  const { bytesRead } = await input.read(bytes, 0, CHUNK);
  if (bytesRead < CHUNK) throw new Error(`${path} is too short`);
  const count = scan(bytes);
  sum ^= crc32(bytes);
  for (let n = 0; n < count; n += PARSE_EVERY) {
    sum ^= JSON.stringify(JSON.parse(bytes.toString("utf8", starts[n], ends[n]))).length;
  }
  await queue.write(bytes);
  if (i % SYNC_EVERY === 0) await queue.datasync();
  if (i % GZIP_EVERY === 0) sum ^= (await promisify(gzip)(bytes, { level: 6 })).length;
  const body = Buffer.allocUnsafeSlow(2 * CHUNK);
  if (!socket.write(body.subarray(0, encode(bytes, count, body)))) await once(socket, "drain");
}
socket.end();
await Promise.all([input.close(), queue.close(), once(socket, "close")]);
console.log(sum);
