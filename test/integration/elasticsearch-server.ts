/** The real Elasticsearch at `ELASTICSEARCH_URL` (`ELASTICSEARCH_API_KEY`, where it asks for one), as tests ask it and write to it. */
import { afterAll, afterEach } from "vitest";
import type { RecordBatch } from "../../agent/api/batch.ts";
import { systemClock } from "../../agent/api/clock.ts";
import type { Output, WriteResult } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import definition from "../../outputs/elasticsearch/index.ts";
import { batchOf as anyBatchOf, type BatchSettings } from "../contract/records.ts";
import { AgentProcess } from "../e2e/harness/agent.ts";
import type { Workspace } from "../e2e/harness/workspace.ts";

/** Of a test file, where there is a server: its names all begin with `run`, and go with it. */
export class RealElasticsearch {
  readonly url: string;
  readonly key: string | undefined;
  /** What indices, templates and policies of this file are to begin with. */
  readonly run: string;
  readonly #open: Output[] = [];

  constructor(url: string, key: string | undefined, prefix: string) {
    this.url = url;
    this.key = key;
    this.run = `${prefix}${process.pid}x${systemClock.now().toString(36)}`;
    afterEach(async () => {
      for (const out of this.#open.splice(0)) await out.close();
    });
    afterAll(() => this.#clean());
  }

  async api(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: { "content-type": "application/json", ...(this.key && { authorization: `ApiKey ${this.key}` }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  }

  async count(index: string): Promise<number> {
    await this.api("POST", `/${index}/_refresh`);
    return (await this.api("GET", `/${index}/_count`)).count as number;
  }

  /** The output's section of a pipeline. */
  section(options: Record<string, unknown>): Record<string, unknown> {
    return { name: "elasticsearch", url: this.url, ...(this.key && { api_key: this.key }), ...options };
  }

  async output(options: Record<string, unknown>): Promise<Output> {
    const { name: _, ...given } = this.section(options);
    const parsed = definition.options.parse(given);
    const made = await definition.create(parsed, {
      alias: "es",
      node: "it",
      version: "0",
      clock: systemClock,
      fields: new Scanner([...new Set([...(definition.fields?.(parsed) ?? []), "metadata"])]),
      emit: () => undefined,
    });
    this.#open.push(made);
    return made;
  }

  /** The agent on `logs/app.jsonl` of a workspace, into an output with the alias `out`. */
  async agent(workspace: Workspace, options: Record<string, unknown>, input: object = {}): Promise<AgentProcess> {
    const config = {
      service: { data_dir: workspace.path("data"), log_format: "json" },
      pipeline: {
        inputs: [{ name: "tail", tag: "audit.app", path: workspace.path("logs/app.jsonl"), ...input }],
        outputs: [{ alias: "out", match: "*", retry: { initial: "50ms", max: "200ms" }, ...this.section(options) }],
      },
    };
    return AgentProcess.run(await workspace.write("pipeline.json", JSON.stringify(config)));
  }

  async #clean(): Promise<void> {
    // Servers refuse to delete by pattern.
    const { indices = [], data_streams = [] } = (await this.api("GET", `/_resolve/index/*${this.run}*`)) as {
      indices?: { name: string; data_stream?: string }[];
      data_streams?: { name: string }[];
    };
    for (const { name } of data_streams) await this.api("DELETE", `/_data_stream/${name}`);
    const plain = indices.filter(({ data_stream }) => data_stream === undefined).map(({ name }) => name);
    while (plain.length > 0) await this.api("DELETE", `/${plain.splice(0, 50).join(",")}`);
    const { index_templates = [] } = (await this.api("GET", `/_index_template/${this.run}*`)) as {
      index_templates?: { name: string }[];
    };
    for (const { name } of index_templates)
      for (const what of ["_index_template", "_ilm/policy"]) await this.api("DELETE", `/${what}/${name}`);
  }
}

/** Offsets from 0, so that the same lines have the same ids. */
export const batchOf = (lines: readonly (string | Buffer)[], settings: BatchSettings = {}) =>
  anyBatchOf(lines, { offset: 0, ...settings });

export const write = (out: Output, batches: RecordBatch[], repeat = false): Promise<WriteResult> =>
  out.write(batches, { id: "plan", repeat }, AbortSignal.timeout(120_000));
