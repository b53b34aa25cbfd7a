/** For tests of doctor: a configuration in a directory of its own, checked by one of doctor's checks. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import type { Finding, Subject } from "../../agent/commands/doctor/check.ts";
import { loadConfig } from "../../config/load.ts";
import { filters } from "../../filters/registry.ts";
import { inputs } from "../../inputs/registry.ts";
import { outputs } from "../../outputs/registry.ts";
import { Written } from "./command.ts";

const registries = { inputs, filters, outputs };

type Settings = Readonly<Record<string, unknown>>;

export interface Configured {
  readonly service?: Settings;
  readonly inputs?: readonly Settings[];
  readonly outputs?: readonly Settings[];
}

export class Checkup {
  readonly dir: string;
  readonly written = new Written();
  readonly context = { ...this.written.context, registries: async () => registries };
  /** Milliseconds by which the clock is ahead. */
  aheadMs = 0;
  frameworks: Subject["frameworks"] = [];

  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), "doctor-"));
    onTestFinished(() => rmSync(this.dir, { recursive: true, force: true }));
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes a file, with its directories, and answers its path. */
  write(name: string, text: string, mode = 0o600): string {
    mkdirSync(dirname(this.path(name)), { recursive: true });
    writeFileSync(this.path(name), text, { mode });
    return this.path(name);
  }

  /** The file. JSON is YAML. */
  configure({ service, inputs: read, outputs: written }: Configured = {}): string {
    const pipeline = {
      inputs: read ?? [{ name: "tail", path: "logs/*.jsonl" }],
      outputs: written ?? [{ name: "file", path: "archive/%Y.jsonl" }],
    };
    return this.write("p.yaml", JSON.stringify({ service: { data_dir: "data", ...service }, pipeline }));
  }

  subject(configured: Configured = {}): Subject {
    const file = this.configure(configured);
    return {
      ...loadConfig(file, registries),
      file,
      context: this.context,
      clock: { now: () => Date.now() + this.aheadMs, monotonic: () => performance.now() },
      frameworks: this.frameworks,
      system: this.system,
    };
  }

  get system(): Subject["system"] {
    return { proc: this.path("proc"), etc: this.path("etc"), run: this.path("run") };
  }
}

/** `error: what`, without what is ok. */
export function said(findings: readonly Finding[]): string[] {
  return findings.filter(({ level }) => level !== "ok").map(({ level, what }) => `${level}: ${what}`);
}
