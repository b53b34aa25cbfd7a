/**
 * Destinations that are never the bottleneck: they answer as the real ones would, and keep nothing but tallies. A process of its own; prints
 * `{ port, tcp }`. POST /_begin (Orders) starts anew, GET /_tally answers `{ <destination>: { entries, checksum } }`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { Tallies, Tally } from "../tally.ts";
import {
  type Answer,
  bulkAnswer,
  EVENTS_TAKEN,
  JSON_TYPE,
  MESSAGES_TAKEN,
  NODE,
  OBJECT_TAKEN,
  ok,
  refusal,
} from "./answers.ts";
import { withBody } from "./body.ts";
import { countBulk, countEvents, countLines, countMessages, SyslogCounter } from "./count.ts";
import { type Destination, type Orders, PLAIN } from "./orders.ts";

/** Where nothing is answered, so much is read at a time as the others have in a request. */
const SLOW_BYTES = 1024 * 1024;

let orders: Orders = PLAIN;
let tallies: Tallies = {};
let requests = 0;
const tallyOf = (name: Destination): Tally => (tallies[name] ??= { entries: 0, checksum: 0 });

const isSlow = (name: Destination) => orders.slowMs > 0 && (orders.slow?.includes(name) ?? true);

async function handle(request: IncomingMessage, body: Buffer): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url!, "http://localhost");
  if (pathname === "/_tally") return ok(JSON.stringify(tallies));
  if (pathname === "/_begin") {
    orders = JSON.parse(body.toString()) as Orders;
    tallies = {};
    requests = 0;
    return ok("{}");
  }
  const destination = destinationOf(request, pathname);
  if (destination === undefined) return NODE;
  if (isSlow(destination)) await delay(orders.slowMs);
  const { by, refuseEvery } = orders;
  const refused = refuseEvery > 0 && ++requests % refuseEvery === 0;
  // The documents of every other refused request are refused one by one.
  const oneByOne = refused && destination === "elasticsearch" && (requests / refuseEvery) % 2 === 0;
  if (refused && !oneByOne) return refusal(destination);
  const tally = oneByOne ? { entries: 0, checksum: 0 } : tallyOf(destination);
  const content = isGzip(body) ? gunzipSync(body) : body;
  switch (destination) {
    case "elasticsearch": {
      const documents = countBulk(content, by, tally);
      if (oneByOne) return refusal(destination, documents);
      const versioned = request.headers.accept?.includes("compatible-with=9") === true;
      const took = searchParams.get("filter_path")?.split(",").includes("took") ?? true;
      return ok(
        bulkAnswer(documents, took),
        versioned ? "application/vnd.elasticsearch+json;compatible-with=9" : JSON_TYPE,
      );
    }
    case "splunk":
      countEvents(content, by, tally);
      return EVENTS_TAKEN;
    case "cloudwatch":
      countMessages(content, by, tally);
      return MESSAGES_TAKEN;
    default:
      countLines(content, by, tally);
      return OBJECT_TAKEN;
  }
}

function destinationOf({ headers, method }: IncomingMessage, path: string): Destination | undefined {
  if (path.endsWith("/_bulk")) return "elasticsearch";
  if (path.startsWith("/services/collector") && method === "POST") return "splunk";
  if (headers["x-amz-target"] !== undefined) return "cloudwatch";
  return method === "PUT" ? "s3" : undefined;
}

/** By its first bytes: of S3 it is the object that is compressed, and not the request. */
function isGzip(body: Buffer): boolean {
  return body[0] === 0x1f && body[1] === 0x8b;
}

async function reply(request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> {
  // What cannot be read is the client's fault, and must not end the others' destination.
  const answered = await handle(request, body).catch((error: Error) => ({ ...NODE, status: 400, body: error.message }));
  const { status, type, body: answer } = answered;
  // Each client's proof that it speaks to what it takes it for.
  const proofs = { "x-elastic-product": "Elasticsearch", etag: '"bench"' };
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(answer), ...proofs });
  response.end(answer);
}

const server = createServer({ highWaterMark: 1024 * 1024 }, (request, response) =>
  withBody(request, (body) => reply(request, response, body)),
);

const syslog = createTcpServer((socket: Socket) => {
  const counter = new SyslogCounter(orders.by, tallyOf("syslog"));
  let unpaused = 0;
  socket.on("data", (chunk: Buffer) => {
    counter.take(chunk);
    unpaused += chunk.length;
    if (!isSlow("syslog") || unpaused < SLOW_BYTES) return;
    unpaused = 0;
    socket.pause();
    setTimeout(() => socket.resume(), orders.slowMs);
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
