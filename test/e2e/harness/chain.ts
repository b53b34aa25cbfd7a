import type { Workspace } from "./workspace.ts";

export interface Told {
  readonly event: string;
  readonly kind?: string;
  readonly file: string;
  readonly line: number | null;
  readonly offset: number;
  readonly [member: string]: unknown;
}

interface Setup {
  /** Glob of the logs. */
  readonly logs: string;
  readonly chain?: object;
  readonly service?: object;
  readonly format?: "json" | "original";
  readonly archive?: string;
}

/** Ships logs to an archive of originals, and what the filter tells to a file of its own. */
export function writeChainConfig(
  workspace: Workspace,
  { logs, chain, service, format = "original", archive = "archive/$GROUP/audit-$SOURCE.jsonl" }: Setup,
): Promise<string> {
  const config = {
    service: { data_dir: "data", log_format: "json", http: { listen: "127.0.0.1:0" }, ...service },
    pipeline: {
      inputs: [{ name: "tail", tag: "audit", path: logs, rotate_wait: "200ms" }],
      filters: [{ name: "chain", match: "*", ...chain }],
      outputs: [
        { name: "file", alias: "archive", match: "audit", path: archive, format },
        { name: "file", alias: "alerts", match: "audit.integrity", path: "alerts.jsonl" },
      ],
    },
  };
  return workspace.write("pipeline.yaml", JSON.stringify(config, undefined, 2));
}

/** What the filter told so far. */
export async function toldIn(workspace: Workspace): Promise<Told[]> {
  return (await workspace.lines("alerts.jsonl")).map((line) => JSON.parse(line) as Told);
}
