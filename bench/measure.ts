import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Usage {
  readonly wallSeconds: number;
  /** User and system, of the process and all its threads, as the kernel counted them. */
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const TIME = "/usr/bin/time";

/** Runs a program to its end. Its standard output goes to `stdout` (a file), its errors into the message of what is thrown. */
export async function measure(program: string, args: readonly string[], stdout = "/dev/null"): Promise<Usage> {
  const folder = await mkdtemp(join(tmpdir(), "audit-agent-usage-"));
  try {
    // GNU time asks wait4 for the figures, after the end; without it they are read from /proc while the process lives.
    const report = join(folder, "usage");
    return existsSync(TIME)
      ? await timed(TIME, ["-o", report, "-f", "%U %S %M", program, ...args], stdout, () => fromTime(report))
      : await timed(program, args, stdout, (sampled) => sampled);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Figures = Omit<Usage, "wallSeconds">;

async function timed(
  program: string,
  args: readonly string[],
  stdout: string,
  figures: (sampled: Figures) => Figures,
): Promise<Usage> {
  const from = performance.now();
  const out = openSync(stdout, "w");
  const child = spawn(program, args, { stdio: ["ignore", out, "pipe"] });
  closeSync(out);
  let errors = "";
  child.stderr!.setEncoding("utf8").on("data", (text: string) => {
    errors = (errors + text).slice(-20_000);
  });
  let sampled: Figures = { cpuSeconds: 0, peakBytes: 0 };
  let timer: NodeJS.Timeout;
  const sample = () => {
    sampled = fromProc(child.pid!) ?? sampled;
    timer = setTimeout(sample, 50);
  };
  sample();
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  clearTimeout(timer!);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} exited with ${code}:\n${errors}`);
  return { wallSeconds: (performance.now() - from) / 1000, ...figures(sampled) };
}

function fromTime(report: string): Figures {
  const [user, system, peak] = readFileSync(report, "utf8").trim().split("\n").at(-1)!.split(" ").map(Number);
  return { cpuSeconds: user! + system!, peakBytes: peak! * 1024 };
}

/** Clock ticks are a hundredth of a second on every Linux there is. */
const TICKS_PER_SECOND = 100;

export function fromProc(pid: number): Figures | undefined {
  try {
    // The name in parentheses may hold blanks; the fields count from behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ");
    const peak = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      peakBytes: Number(peak?.[1] ?? 0) * 1024,
    };
  } catch {
    return undefined;
  }
}
