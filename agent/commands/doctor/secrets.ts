import { stat } from "node:fs/promises";
import { error, type Finding, ok, type Subject, warn } from "./check.ts";

/** Secrets that stand in the configuration itself, and who else can read it. */
export async function checkSecrets({ literals, config, file }: Subject): Promise<readonly Finding[]> {
  const { mode } = await stat(config.file);
  const findings: Finding[] = [];
  if ((mode & 0o022) !== 0) {
    const todo = `chmod go-w ${file}: whoever writes it decides where the log goes`;
    findings.push(error(`others than its owner may write to ${file} (${modeOf(mode)})`, todo));
  }
  if (literals.length === 0) return [...findings, ok("no secret stands in the configuration itself")];
  const where = literals.map(({ path, line }) => `${path} (line ${line})`).join(", ");
  const noun = literals.length === 1 ? "a secret stands" : `${literals.length} secrets stand`;
  const instead =
    "put it into a file of its own, 0600, and write ${file:/path/to/it}, or into the environment: ${NAME}";
  if ((mode & 0o044) !== 0) {
    const todo = `${instead}; at least chmod 600 ${file}`;
    findings.push(error(`${noun} in ${file}, which others can read (${modeOf(mode)}): ${where}`, todo));
  } else findings.push(warn(`${noun} in ${file}: ${where}`, instead));
  return findings;
}

export function modeOf(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, "0");
}
