/** What the sink alone takes, from a client that does nothing but send: far more than any agent, or what is measured is the sink. */

import { once } from "node:events";
import { createReadStream } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import type { Corpus } from "./corpus.ts";
import { fromProc } from "./measure.ts";
import { type Sink, startSink } from "./sink/client.ts";
import { type Destination, PLAIN } from "./sink/orders.ts";

const SAMPLE_BYTES = 4 * 1024 * 1024;
/** Requests of usual sizes. */
const BATCH = 5_000;
const SECONDS = 2;
const ID = "s".repeat(22);

/** An entry as the agent sends it there, for a record at `offset`. */
const SENT: Partial<Record<Destination, { path?: string; wrap(line: string, offset: number): string }>> = {
  elasticsearch: {
    path: "/_bulk?filter_path=errors,items.*.status",
    wrap: (line, offset) => `{"create":{"_index":"audit-2026.02.01","_id":"${ID}-${offset}"}}\n${line}\n`,
  },
  splunk: {
    path: "/services/collector/event",
    wrap: (line, offset) =>
      `{"time":1769904000.007,"host":"h","sourcetype":"_json","fields":{"tag":"audit","record_id":"${ID}-${offset}"},"event":${line}}\n`,
  },
  syslog: {
    wrap(line, offset) {
      const message = `<134>1 2026-02-01T00:00:00.007Z h audit-agent - create [audit@32473 tag="audit" record_id="${ID}-${offset}"] ${line}`;
      return `${Buffer.byteLength(message)} ${message}`;
    },
  },
};

export async function sinkLimit(corpus: Corpus): Promise<string> {
  const sink = await startSink();
  const rows: string[] = [];
  try {
    const sample = await linesOf(corpus.path);
    for (const [name, { path, wrap }] of Object.entries(SENT)) {
      const body = Buffer.from(sample.map((line, i) => wrap(line, i * 468)).join(""));
      await sink.begin(PLAIN);
      const before = fromProc(sink.pid)!.cpuSeconds;
      const from = performance.now();
      const send = path === undefined ? await stream(sink) : post(sink, path);
      while (performance.now() - from < SECONDS * 1000) await send(body);
      const entries = await settled(sink, name as Destination);
      const seconds = (performance.now() - from) / 1000;
      const cpu = (fromProc(sink.pid)!.cpuSeconds - before) / (entries / 1e6);
      rows.push(`| ${name} | ${Math.round(entries / seconds / 1000)} | ${cpu.toFixed(2)} |`);
    }
  } finally {
    sink.close();
  }
  return [
    `The sink alone, sent ${corpus.kind} entries by one client in one request after the other:`,
    "",
    "| destination | k entries/s | CPU-seconds per million |",
    "| --- | --: | --: |",
    ...rows,
  ].join("\n");
}

async function linesOf(path: string): Promise<string[]> {
  let text = "";
  for await (const chunk of createReadStream(path, { encoding: "utf8", end: SAMPLE_BYTES })) text += chunk;
  return text.split("\n").slice(0, -1).slice(0, BATCH);
}

function post({ port }: Sink, path: string): (body: Buffer) => Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  return (body) =>
    new Promise((resolve, reject) => {
      const headers = { "content-length": body.length };
      const sent = request({ port, path, agent, method: "POST", headers }, (response) =>
        response.resume().on("end", resolve),
      );
      sent.on("error", reject).end(body);
    });
}

async function stream({ tcp }: Sink): Promise<(body: Buffer) => Promise<void>> {
  const socket = connect(tcp, "127.0.0.1");
  await once(socket, "connect");
  return async (body) => {
    if (!socket.write(body)) await once(socket, "drain");
  };
}

/** Once nothing more comes: syslog has no answers. */
async function settled(sink: Sink, name: Destination): Promise<number> {
  let before = -1;
  for (let entries = 0; entries !== before; ) {
    before = entries;
    entries = (await sink.tallies())[name]?.entries ?? 0;
  }
  return before;
}
