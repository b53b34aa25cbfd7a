/** What is wrong with a configuration, in the form people read: `pipeline.yaml:14:5  outputs[0].tokn: unknown option`. */

export interface Problem {
  /** From 1; 0 where the problem is the whole file's. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  /** As a person would point at it: `outputs[0].url`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

/** Thrown with every problem of a file at once. The message is ready to print and holds no value of the file. */
export class ConfigError extends Error {
  /** As it was given, for display. */
  readonly file: string;
  readonly problems: readonly Problem[];

  constructor(file: string, problems: readonly Problem[]) {
    super(problems.map((problem) => formatProblem(file, problem)).join("\n"));
    this.name = "ConfigError";
    this.file = file;
    this.problems = problems;
  }
}

export function formatProblem(file: string, { line, column, path, message }: Problem): string {
  if (line === 0) return `${file}: ${message}`;
  const where = `${file}:${line}:${column}`;
  return path === "" ? `${where}  ${message}` : `${where}  ${path}: ${message}`;
}

export type Path = readonly (string | number)[];

/** `["pipeline", "outputs", 0, "url"]` → `outputs[0].url`: everybody knows that these three lie in `pipeline`. */
export function formatPath(path: Path): string {
  const shown = path[0] === "pipeline" && path.length > 1 ? path.slice(1) : path;
  let text = "";
  for (const part of shown) {
    if (typeof part === "number") text += `[${part}]`;
    else if (!/^[\w-]+$/.test(part)) text += `[${JSON.stringify(part.slice(0, 64))}]`;
    else text += text === "" ? part : `.${part}`;
  }
  return text;
}
