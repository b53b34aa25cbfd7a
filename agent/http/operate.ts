/** All doors to the operating interface: HTTP where it is configured, the socket always. */
import type { ServiceOptions } from "../api/config.ts";
import type { Emit } from "../api/events.ts";
import type { Control } from "../control/control.ts";
import { EventStreams } from "./events.ts";
import type { PageFile } from "./page.ts";
import type { HttpServer } from "./server.ts";
import { listenOnSocket, type SocketServer } from "./socket.ts";

export class Doors {
  readonly #control: Control;
  readonly #emit: Emit;
  readonly #streams: EventStreams;
  #page: ReadonlyMap<string, PageFile> = new Map();
  #token: string | undefined;
  #http: HttpServer | undefined;
  #socket: SocketServer | undefined;

  constructor(control: Control, emit: Emit) {
    this.#control = control;
    this.#emit = emit;
    this.#streams = new EventStreams(control);
  }

  get http(): HttpServer | undefined {
    return this.#http;
  }

  /** Of the page, with the token: for who started the agent, and nobody else. */
  get pageUrl(): string | undefined {
    if (this.#http === undefined || this.#token === undefined || this.#page.size === 0) return undefined;
    return `${this.#http.address}/#token=${this.#token}`;
  }

  /** Before the pipeline starts, which may take a while: whoever asks hears that the process lives. Everything else waits for `open`. */
  async begin({ http }: ServiceOptions): Promise<void> {
    if (!http) return;
    const [{ startHttp }, { pageFiles }] = await Promise.all([import("./server.ts"), import("./page.ts")]);
    this.#page = pageFiles();
    this.#http = await startHttp(http, () => this.#token, this.#routed());
    this.#control.http = this.#http.address;
    this.#control.watch();
  }

  async open(dataDir: string): Promise<void> {
    if (this.#http) {
      const { openToken } = await import("./token.ts");
      this.#token = await openToken(dataDir);
    }
    try {
      this.#socket = await listenOnSocket(dataDir, this.#routed());
    } catch (error) {
      // Some volumes know no sockets. Shipping goes on; only commands that ask the running agent cannot.
      const message = `no socket for the agent's commands in ${dataDir}: ${(error as Error).message}`;
      this.#emit({ is: "notice", level: "warn", component: "agent", message });
    }
  }

  #routed() {
    return { control: this.#control, streams: this.#streams, page: this.#page };
  }

  async close(): Promise<void> {
    this.#streams.close();
    await Promise.all([this.#http?.close(), this.#socket?.close()]);
    this.#http = undefined;
    this.#socket = undefined;
  }
}
