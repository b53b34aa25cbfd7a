/**
 * Destinations that are never the bottleneck: they answer as the real ones would, and keep nothing but tallies. A process of its own; prints
 * `{ port, tcp }`. GET /_tally answers `{ <destination>: { entries, checksum } }`, and /_clear starts anew.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { crc32, gunzipSync } from "node:zlib";
import { add, type Tallies, type Tally } from "./tally.ts";

let tallies: Tallies = {};
const tallyOf = (name: string): Tally => (tallies[name] ??= { entries: 0, checksum: 0 });

/** Characters of a record id before its offset: 22 of the source, and a dash. */
const SOURCE_LENGTH = 23;
const NEWLINE = 10;
const QUOTE = 34;
/** A record id is behind these. */
const ID = {
  elasticsearch: Buffer.from('"_id":"'),
  splunk: Buffer.from('"record_id":"'),
  syslog: Buffer.from('record_id="'),
};
const MESSAGE = Buffer.from('"message":"');

/** Counts the record ids that end before `end`; answers where the first one that does not begins. */
function countIds(body: Buffer, marker: Buffer, tally: Tally): number {
  for (let at = body.indexOf(marker); at >= 0; at = body.indexOf(marker, at)) {
    let digit = at + marker.length + SOURCE_LENGTH;
    let offset = 0;
    for (; body[digit] !== QUOTE; digit++) {
      if (digit >= body.length) return at;
      offset = offset * 10 + body[digit]! - 48;
    }
    add(tally, offset);
    at = digit;
  }
  return body.length;
}

const CREATED = '{"create":{"status":201}}';
/** With `filter_path` an answer holds only what was asked for, as the real one does: no `took`. */
function bulk(body: Buffer, filtered: boolean): string {
  const tally = tallyOf("elasticsearch");
  const before = tally.entries;
  countIds(body, ID.elasticsearch, tally);
  const documents = tally.entries - before;
  const items = documents === 0 ? "" : `${`${CREATED},`.repeat(documents - 1)}${CREATED}`;
  return `{${filtered ? "" : '"took":1,'}"errors":false,"items":[${items}]}`;
}

/** An object of lines: each counts by its content, for it has no id. */
function object(body: Buffer): void {
  const content = body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body;
  const tally = tallyOf("s3");
  for (let at = 0; at < content.length; ) {
    const end = content.indexOf(NEWLINE, at);
    add(tally, crc32(content.subarray(at, end)));
    at = end + 1;
  }
}

function events(body: Buffer): void {
  const tally = tallyOf("cloudwatch");
  for (let at = body.indexOf(MESSAGE); at >= 0; at = body.indexOf(MESSAGE, at + 1)) tally.entries++;
}

/** The answer to a request: a body and its type. */
async function handle(request: IncomingMessage, body: Buffer): Promise<[string, string]> {
  const { pathname, searchParams } = new URL(request.url!, "http://localhost");
  const json = "application/json";
  const content = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  if (pathname === "/_tally") return [JSON.stringify(tallies), json];
  if (pathname === "/_clear") {
    tallies = {};
    return ["{}", json];
  }
  if (pathname.endsWith("/_bulk")) {
    const versioned = request.headers.accept?.includes("compatible-with=9") === true;
    const answer = bulk(content, searchParams.get("filter_path")?.split(",").includes("took") === false);
    return [answer, versioned ? "application/vnd.elasticsearch+json;compatible-with=9" : json];
  }
  if (pathname === "/services/collector/event") {
    countIds(content, ID.splunk, tallyOf("splunk"));
    return ['{"text":"Success","code":0}', json];
  }
  if (request.headers["x-amz-target"] !== undefined) {
    events(content);
    // For the fan-out's slow destination.
    await delay(Number(process.env.SLOW_MS ?? 0));
    return ["{}", "application/x-amz-json-1.1"];
  }
  if (request.method === "PUT") {
    object(body);
    return ["", "application/xml"];
  }
  return ['{"name":"sink","cluster_name":"sink","version":{"number":"9.5.0","build_flavor":"default"}}', json];
}

async function reply(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
  const [answer, type] = await handle(request, body);
  const length = Buffer.byteLength(answer);
  // Each client's proof that it speaks to what it takes it for.
  const proofs = { "x-elastic-product": "Elasticsearch", etag: '"bench"' };
  response.writeHead(200, { "content-type": type, "content-length": length, ...proofs });
  response.end(answer);
}

const server = createServer({ highWaterMark: 1024 * 1024 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => void reply(request, response, Buffer.concat(chunks)));
});

const syslog = createTcpServer((socket: Socket) => {
  let rest: Buffer = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const begun = countIds(all, ID.syslog, tallyOf("syslog"));
    // A marker, or an id, may be cut in two.
    rest = all.subarray(Math.max(0, Math.min(begun, all.length - ID.syslog.length + 1)));
  });
  socket.on("error", () => socket.destroy());
});

const portOf = (listening: { address(): AddressInfo | string | null }) => (listening.address() as AddressInfo).port;
syslog.listen(0, "127.0.0.1", () =>
  server.listen(0, "127.0.0.1", () =>
    process.stdout.write(`${JSON.stringify({ port: portOf(server), tcp: portOf(syslog) })}\n`),
  ),
);
// The runner holds the other end: when it is gone, so is the sink.
process.stdin.resume().on("end", () => process.exit());
