/** Stands in for a running agent: a Unix socket in a data directory that answers as agent/api/operate.ts says. */
import { writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";
import type { PipelineView } from "../../agent/api/operate.ts";

export interface Asked {
  readonly route: string;
  readonly operator: string | undefined;
  readonly body: unknown;
}

type Answer = readonly [status: number, body: unknown];

export class AgentSocket {
  readonly asked: Asked[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** `answers`: by method and path. `elsewhere`: where the socket is, if not in the directory. */
  static async start(
    dataDir: string,
    answers: Readonly<Record<string, Answer | ((body: unknown) => Answer)>>,
    elsewhere?: string,
  ): Promise<AgentSocket> {
    const server = createServer(async (request, response) => {
      const route = `${request.method} ${request.url}`;
      const body = await bodyOf(request);
      socket.asked.push({ route, operator: request.headers["x-operator"] as string | undefined, body });
      const answer = answers[route] ?? [404, { error: `no route ${route}` }];
      const [status, value] = typeof answer === "function" ? answer(body) : answer;
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    });
    const socket = new AgentSocket(server);
    if (elsewhere !== undefined) writeFileSync(join(dataDir, "agent.sock.path"), `${elsewhere}\n`);
    await new Promise<void>((resolve) => server.listen(elsewhere ?? join(dataDir, "agent.sock"), resolve));
    return socket;
  }

  stop(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text === "" ? undefined : JSON.parse(text);
}

export function viewFor(more: Partial<PipelineView> = {}): PipelineView {
  const since = "2026-02-01T10:00:00.000Z";
  const part = { plugin: "x", state: "ok", since, reason: null } as const;
  return {
    time: "2026-02-01T12:00:00.000Z",
    version: "1.2.3",
    node: "host",
    pid: 42,
    config: "/etc/audit-agent/pipeline.yaml",
    started_at: since,
    status: "ok",
    ready: true,
    problems: [],
    inputs: [
      {
        ...part,
        alias: "logs",
        tag: "audit",
        read: { records: 1234, bytes: 99 },
        lag: { bytes: 2048, seconds: 3, files: 2 },
        files: [],
      },
    ],
    filters: [],
    queue: { ...part, bytes: 1024, max_bytes: 1048576, segments: 1, oldest_seconds: 0 },
    outputs: [
      {
        ...part,
        alias: "main",
        match: ["*"],
        guarantee: "exactly-once",
        paused: false,
        stalled: false,
        backlog: { records: 4, bytes: 400, oldest_seconds: 60 },
        in_flight: 0,
        ledger: { read: 1234, created: 0, filtered: 0, delivered: 1230, rejected: 0, lost: 0, queued: 4 },
        imbalance: 0,
        delivered_bytes: 1,
        retries: 0,
        last_progress: null,
      },
    ],
    dead_letters: { records: 0, bytes: 0 },
    orphans: [],
    lost_at_input_bytes: 0,
    process: { cpu_seconds: 1, resident_bytes: 1 },
    last_reload: null,
    ...more,
  };
}
