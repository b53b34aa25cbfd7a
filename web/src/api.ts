/** The agent's interface, as `agent/api/operate.ts` says it. The only place that fetches. */
import type { Refusal } from "../../agent/api/operate.ts";
import { type SseMessage, SseParser } from "./sse.ts";

/** What the agent answered instead of what was asked for. */
export class ApiError extends Error {
  readonly status: number;
  readonly answer: unknown;

  constructor(status: number, message: string, answer: unknown) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.answer = answer;
  }
}

/** Longer than any answer takes that is not a stream; a reload probes every destination first. */
const PATIENCE_MS = 60_000;

export class Api {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  get<T>(path: string): Promise<T> {
    return this.#json(path, {});
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    const headers = { "content-type": "application/json" };
    return this.#json(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** Until the stream ends or the signal aborts; `heard` is called for every piece, also those that only keep it alive. */
  async listen(path: string, signal: AbortSignal, on: (message: SseMessage) => void, heard: () => void): Promise<void> {
    const response = await this.#fetch(path, { signal, headers: { accept: "text/event-stream" } });
    const parser = new SseParser();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        heard();
        for (const message of parser.push(value)) on(message);
      }
    } finally {
      // Else the connection would be held open after an error of ours.
      await reader.cancel().catch(() => {});
    }
  }

  async #json<T>(path: string, init: RequestInit): Promise<T> {
    const response = await this.#fetch(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    return (await response.json()) as T;
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    const headers = new Headers(init.headers);
    headers.set("authorization", `Bearer ${this.#token}`);
    const response = await fetch(`api/${path}`, { ...init, headers, cache: "no-store", credentials: "omit" });
    if (response.ok) return response;
    const answer: unknown = await response.json().catch(() => undefined);
    throw new ApiError(response.status, refusalOf(answer) ?? `The agent answered ${response.status}`, answer);
  }
}

function refusalOf(answer: unknown): string | undefined {
  const { error } = (answer ?? {}) as Partial<Refusal>;
  return typeof error === "string" ? error : undefined;
}

/** What went wrong, for people: the browser's own words for a refused connection are of no use. */
export function sentenceOf(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  if (error instanceof DOMException && error.name === "TimeoutError") return "The agent did not answer in time";
  return "The agent cannot be reached";
}
