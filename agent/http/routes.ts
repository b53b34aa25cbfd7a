/** The routes of `agent/api/operate.ts`, the probes, the metrics and the page. */
import type { FastifyInstance, FastifyRequest } from "fastify";
import { z } from "zod";
import type { LettersChosen, ReloadAsked } from "../api/operate.ts";
import { Level, levelOf } from "../api/view.ts";
import { type Control, RefusedError } from "../control/control.ts";
import type { EntriesAsked } from "./entries.ts";
import type { EventStreams } from "./events.ts";
import { type Listener, operatorOf } from "./guard.ts";
import type { PageFile } from "./page.ts";

export interface Routed {
  readonly control: Control;
  readonly streams: EventStreams;
  readonly page: ReadonlyMap<string, PageFile>;
}

const text = z.string().max(256).optional();
const level = text.refine((word) => !word || levelOf(word) !== Level.none, "must be a level, such as warning");
const entriesAsked = z.object({ entries: text, level, event: text, actor: text, text: text });
const lettersAsked = z.object({
  output: text,
  after: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
  limit: z.coerce.number().int().min(1).max(500).default(50),
});
const lettersChosen = z.strictObject({
  output: z.string().max(64).optional(),
  ids: z.array(z.string().max(256)).max(10_000).optional(),
  all: z.literal(true).optional(),
});
const reloadAsked = z.strictObject({ unprobed: z.boolean().optional() });

export function probes(app: FastifyInstance, control: Control): void {
  const { telemetry } = control;
  app.get("/healthz", async () => ({ alive: true }));
  app.get("/readyz", async (_request, reply) => {
    const { ready } = telemetry.health();
    return reply.code(ready ? 200 : 503).send({ ready });
  });
  app.get("/metrics", async (_request, reply) => {
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return telemetry.metrics();
  });
}

export function routes(app: FastifyInstance, listener: Listener, { control, streams, page }: Routed): void {
  const by = (request: FastifyRequest) => operatorOf(request, listener);
  app.get("/health", async (_request, reply) => {
    const health = control.telemetry.health();
    return reply.code(health.status === "ok" ? 200 : 503).send(health);
  });
  app.get("/api/pipeline", async () => control.view());
  app.get("/api/history", async () => control.history());
  app.get("/api/events", async (request, reply) => {
    const { entries, ...asked } = parsed(entriesAsked, request.query);
    if (streams.full) return reply.code(503).send({ error: "too many look on already" });
    const headers = { ...reply.getHeaders(), "content-type": "text/event-stream", "x-accel-buffering": "no" };
    reply.hijack();
    reply.raw.writeHead(200, headers as Record<string, string>);
    streams.begin(reply.raw, entries === "1" ? (asked as EntriesAsked) : undefined);
    return reply;
  });
  app.get("/api/dead-letters", async (request) => control.letters(parsed(lettersAsked, request.query)));
  app.post("/api/dead-letters/replay", async (request) => control.replay(chosen(request), by(request)));
  app.post("/api/dead-letters/discard", async (request) => control.discard(chosen(request), by(request)));
  app.post<Alias>("/api/outputs/:alias/pause", async (request) =>
    control.pause(request.params.alias, true, by(request)),
  );
  app.post<Alias>("/api/outputs/:alias/resume", async (request) =>
    control.pause(request.params.alias, false, by(request)),
  );
  app.post<Alias>("/api/orphans/:alias/drop", async (request) => control.dropOrphan(request.params.alias, by(request)));
  app.post("/api/reload", async (request, reply) => {
    const { unprobed = false } = parsed(reloadAsked, request.body ?? {}) as ReloadAsked;
    const report = await control.reload(by(request), { unprobed });
    return reply.code(report.applied ? 200 : 409).send(report);
  });
  for (const [path, { body, type, immutable }] of page) {
    app.get(path, async (_request, reply) => {
      if (immutable) reply.header("cache-control", "public, max-age=31536000, immutable");
      return reply.type(type).send(body);
    });
  }
}

interface Alias {
  readonly Params: { readonly alias: string };
}

function chosen({ body }: FastifyRequest): LettersChosen {
  return parsed(lettersChosen, body ?? {}) as LettersChosen;
}

function parsed<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw new RefusedError(400, path.length === 0 ? message : `${path.join(".")}: ${message}`);
}
