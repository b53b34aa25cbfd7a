/**
 * Answers as Elasticsearch's _bulk would, and keeps nothing but a tally: a destination that is never the bottleneck. A process of its own;
 * prints its port. GET /_tally answers `{ entries, checksum, bytes, requests }` and starts anew.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";
import { add } from "./tally.ts";

const tally = { entries: 0, checksum: 0, bytes: 0, requests: 0 };
const ID = Buffer.from('"_id":"');
/** Characters of a record id before its offset: 22 of the source, and a dash. */
const SOURCE_LENGTH = 23;
const NEWLINE = 10;
const QUOTE = 34;

/** Counts the documents of a bulk body: pairs of an action line and a document line. */
function take(body: Buffer): number {
  let documents = 0;
  for (let at = 0; at < body.length; documents++) {
    const id = body.indexOf(ID, at);
    const end = body.indexOf(NEWLINE, at);
    if (id < 0 || id > end) throw new Error(`no _id in ${body.toString("utf8", at, end)}`);
    let offset = 0;
    for (let i = id + ID.length + SOURCE_LENGTH; body[i] !== QUOTE; i++) offset = offset * 10 + body[i]! - 48;
    add(tally, offset);
    const next = body.indexOf(NEWLINE, end + 1);
    at = next < 0 ? body.length : next + 1;
  }
  tally.bytes += body.length;
  tally.requests++;
  return documents;
}

const CREATED = '{"create":{"status":201}}';
/** With `filter_path` an answer holds only what was asked for, as the real one does: no `took`. */
function answer(documents: number, filtered: boolean): string {
  const items = documents === 0 ? "" : `${`${CREATED},`.repeat(documents - 1)}${CREATED}`;
  return `{${filtered ? "" : '"took":1,'}"errors":false,"items":[${items}]}`;
}

function reply(request: IncomingMessage, response: ServerResponse, body: string): void {
  const versioned = request.headers.accept?.includes("compatible-with=9") === true;
  response.writeHead(200, {
    "content-type": versioned ? "application/vnd.elasticsearch+json;compatible-with=9" : "application/json",
    "content-length": Buffer.byteLength(body),
    "x-elastic-product": "Elasticsearch",
  });
  response.end(body);
}

/** The answer to a request, as JSON. */
function handle(request: IncomingMessage, body: Buffer): string {
  const { pathname, searchParams } = new URL(request.url!, "http://localhost");
  if (pathname === "/_tally") {
    const text = JSON.stringify(tally);
    Object.assign(tally, { entries: 0, checksum: 0, bytes: 0, requests: 0 });
    return text;
  }
  if (pathname.endsWith("/_bulk")) {
    const documents = take(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body);
    return answer(documents, searchParams.get("filter_path")?.split(",").includes("took") === false);
  }
  return JSON.stringify({ name: "sink", cluster_name: "sink", version: { number: "9.5.0", build_flavor: "default" } });
}

const server = createServer({ highWaterMark: 1024 * 1024 }, (request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => reply(request, response, handle(request, Buffer.concat(chunks))));
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
// The runner holds the other end: when it is gone, so is the sink.
process.stdin.resume().on("end", () => process.exit());
