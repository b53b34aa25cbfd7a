/** What a running agent answers on its socket: JSON over HTTP, see `agent/api/operate.ts`. */
import { lstat, readFile } from "node:fs/promises";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { userInfo } from "node:os";
import { join } from "node:path";
import type { Refusal } from "../api/operate.ts";
import { ELSEWHERE, SOCKET } from "../http/socket-place.ts";
import { eventsOf, type ServerEvent } from "./event-stream.ts";

const ANSWER_MS = 10_000;
/** A reload asks every new destination first; a replay reads what may be hundreds of megabytes. */
const ACTION_MS = 120_000;
const MAX_ANSWER = 64 * 1024 * 1024;

/** No agent runs on the directory: there is no socket, or nobody listens on it any more. */
export class NoAgentError extends Error {}

/** There may be one, and this user may not ask it. */
export class NotPermittedError extends Error {}

/** What the agent answered instead. */
export class RefusedError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface Asked {
  readonly method: "GET" | "POST";
  readonly body?: object | undefined;
  /** Statuses that are an answer and no refusal. */
  readonly accept?: readonly number[];
}

export class AgentClient {
  readonly #dataDir: string;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  get<T>(path: string, accept: readonly number[] = []): Promise<T> {
    return this.#ask(path, { method: "GET", accept });
  }

  post<T>(path: string, body?: object, accept: readonly number[] = []): Promise<T> {
    return this.#ask(path, { method: "POST", body, accept });
  }

  /** Until the signal aborts or the agent ends. */
  async *events(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
    const response = await this.#open(path, { method: "GET" }, signal, ANSWER_MS);
    if (response.statusCode !== 200) throw refusal(response.statusCode ?? 0, await textOf(response));
    yield* eventsOf(response);
  }

  async #ask<T>(path: string, asked: Asked): Promise<T> {
    const limit = asked.method === "GET" ? ANSWER_MS : ACTION_MS;
    const response = await this.#open(path, asked, AbortSignal.timeout(limit), limit);
    const status = response.statusCode ?? 0;
    const text = await textOf(response);
    if (status >= 300 && !asked.accept?.includes(status)) throw refusal(status, text);
    try {
      return JSON.parse(text) as T;
    } catch {
      throw new Error(`the agent's answer to ${path} is no JSON`);
    }
  }

  async #open(path: string, { method, body }: Asked, signal: AbortSignal, limit: number): Promise<IncomingMessage> {
    const socketPath = await this.#socket();
    const json = body === undefined ? undefined : JSON.stringify(body);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request: ClientRequest = httpRequest({
      socketPath,
      path,
      method,
      signal,
      agent: false,
      headers: {
        host: "localhost",
        accept: "*/*",
        "x-operator": operator(),
        ...(json !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(json) }),
        ...(json === undefined && method === "POST" && { "content-length": 0 }),
      },
    });
    request.setTimeout(limit, () => request.destroy(new Error(`the agent did not answer within ${limit / 1000} s`)));
    request.on("response", (response) => {
      // From now on a stream may be silent as long as it likes.
      request.setTimeout(0);
      resolve(response);
    });
    request.on("error", reject);
    request.end(json);
    try {
      return await promise;
    } catch (error) {
      throw await this.#explain(error as NodeJS.ErrnoException, socketPath, limit);
    }
  }

  async #socket(): Promise<string> {
    try {
      return (await readFile(join(this.#dataDir, ELSEWHERE), "utf8")).trim();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EACCES" || code === "EPERM") throw await this.#notPermitted();
      return join(this.#dataDir, SOCKET);
    }
  }

  async #explain(error: NodeJS.ErrnoException, socketPath: string, limit: number): Promise<Error> {
    const { code = "", name } = error;
    if (code === "EACCES" || code === "EPERM") return this.#notPermitted();
    if (code === "ECONNREFUSED") {
      return new NoAgentError(`no agent runs on ${this.#dataDir} (nobody listens on ${socketPath} any more)`);
    }
    // EINVAL: longer than a socket's path can be, so nobody can listen there.
    if (["ENOENT", "ENOTDIR", "EINVAL", "ENOTSOCK"].includes(code)) {
      return new NoAgentError(`no agent runs on ${this.#dataDir}`);
    }
    if (name === "TimeoutError") return new Error(`the agent did not answer within ${limit / 1000} s`);
    return error;
  }

  async #notPermitted(): Promise<NotPermittedError> {
    const owner = await lstat(this.#dataDir).then(
      ({ uid }) => userName(uid),
      () => undefined,
    );
    const whose = (await owner) ?? "another user";
    const how = owner === undefined ? "" : `: sudo -u ${await owner} audit-agent …`;
    return new NotPermittedError(
      `${userInfo().username} may not look into ${this.#dataDir}, which belongs to ${whose}${how}`,
    );
  }
}

/** Who types this: what the agent writes into the log of operators' actions. */
export function operator(): string {
  let name: string;
  try {
    name = userInfo().username;
  } catch {
    // A user id without a name, as in containers.
    name = `uid ${process.getuid?.() ?? "unknown"}`;
  }
  const by = process.env.SUDO_USER;
  const text = by === undefined || by === "" || by === name ? name : `${by} (sudo ${name})`;
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 128);
}

async function userName(uid: number): Promise<string> {
  const users = await readFile("/etc/passwd", "utf8").catch(() => "");
  return new RegExp(`^([^:]+):[^:]*:${uid}:`, "m").exec(users)?.[1] ?? `#${uid}`;
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_ANSWER) throw new Error("the agent's answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function refusal(status: number, text: string): RefusedError {
  try {
    const { error } = JSON.parse(text) as Partial<Refusal>;
    if (typeof error === "string") return new RefusedError(status, error);
  } catch {
    // Then it is none of the agent's own.
  }
  return new RefusedError(status, `the agent answered ${status}`);
}
