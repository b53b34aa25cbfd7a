import { appendFile, mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { onTestFinished } from "vitest";
import { FakeElasticsearch, type FakeOptions } from "../../fakes/elasticsearch.ts";
import type { AgentProcess } from "./agent.ts";
import { expectExactlyOnce } from "./compare.ts";
import { Workspace } from "./workspace.ts";

type Settings = Readonly<Record<string, unknown>>;

/** What a test's configuration differs in; relative paths are relative to the workspace. */
export interface Setup {
  readonly service?: Settings;
  readonly input?: Settings;
  readonly filters?: readonly Settings[];
  readonly outputs?: readonly Settings[];
}

/** A log folder, a destination, and who wrote what. */
export class Scene {
  readonly workspace = new Workspace();
  readonly elasticsearch: FakeElasticsearch;
  /** Lines written so far, in order, each with a number of its own. */
  readonly written: string[] = [];

  private constructor(elasticsearch: FakeElasticsearch) {
    this.elasticsearch = elasticsearch;
  }

  static async start(options: FakeOptions = {}): Promise<Scene> {
    const elasticsearch = await FakeElasticsearch.start(options);
    onTestFinished(() => elasticsearch.stop().catch(() => {}));
    return new Scene(elasticsearch);
  }

  /** Writes the configuration and answers its path. JSON is YAML. */
  async configure({ service, input, filters = [], outputs }: Setup = {}, name = "pipeline.yaml"): Promise<string> {
    const config = {
      service: { data_dir: "data", log_format: "json", http: { listen: "127.0.0.1:0" }, ...service },
      pipeline: {
        inputs: [{ name: "tail", tag: "audit", path: "logs/*.jsonl", rotate_wait: "200ms", ...input }],
        filters,
        outputs: outputs ?? [this.output()],
      },
    };
    return this.workspace.write(name, JSON.stringify(config, undefined, 2));
  }

  /** The destination as an output of the pipeline. */
  output(more: Settings = {}): Settings {
    return {
      name: "elasticsearch",
      match: "*",
      url: this.elasticsearch.url,
      index: "audit-%Y.%m.%d",
      timeout: "2s",
      retry: { initial: "20ms", max: "100ms" },
      batch: { linger: "20ms" },
      ...more,
    };
  }

  /** New lines that nobody wrote yet; what is done with them is the test's affair. */
  lines(count: number, text = ""): string[] {
    const lines = Array.from({ length: count }, (_, i) =>
      JSON.stringify({ timestamp: "2026-02-01T10:00:00Z", event: "session.start", id: this.written.length + i, text }),
    );
    this.written.push(...lines);
    return lines;
  }

  /** Appends new lines to a file of the workspace. */
  async append(name: string, count: number, text = ""): Promise<string[]> {
    const lines = this.lines(count, text);
    const path = this.workspace.path(name);
    await mkdir(dirname(path), { recursive: true });
    await appendFile(path, lines.map((line) => `${line}\n`).join(""));
    return lines;
  }

  /** Waits until as many documents are there as lines were written, or as many as said, and checks that each is there once. */
  async allArrive(agent: AgentProcess, timeoutMs?: number): Promise<void> {
    const { documents } = this.elasticsearch;
    await agent.until("everything written to be there", () => documents.length >= this.written.length, timeoutMs);
    this.expectAll();
  }

  /** Each written line is at the destination once, and nothing else is. */
  expectAll(): void {
    expectExactlyOnce("elasticsearch", this.written, linesOf(this.elasticsearch));
  }
}

/** Documents as the lines they were made of: the agent adds nothing where nothing is configured but the time. */
export function linesOf(elasticsearch: FakeElasticsearch): string[] {
  return elasticsearch.documents.map(({ source }) => {
    const { "@timestamp": _, ...entry } = JSON.parse(source) as Record<string, unknown>;
    return JSON.stringify(entry);
  });
}
