import { formatProblem } from "../../../config/problems.ts";
import { fieldsFor, makeParts } from "../parts.ts";
import { error, type Finding, ok, type Subject, warn } from "./check.ts";

/** As `validate` says it, and whether every part can be made: files of certificates, say, are read then. */
export async function checkConfiguration(subject: Subject): Promise<readonly Finding[]> {
  const { config, warnings, file, context } = subject;
  const problems = await makeParts(config, await fieldsFor(config), context);
  const count = (n: number, noun: string) => `${n} ${noun}${n === 1 ? "" : "s"}`;
  return [
    ok(`${file} is valid: ${count(config.inputs.length, "input")}, ${count(config.outputs.length, "output")}`),
    ...problems.map((problem) => error(problem, "the agent would not start: set it right in the configuration")),
    ...warnings.map((one) =>
      warn(formatProblem(file, one), "change it there; where it is meant so, nothing needs to be done"),
    ),
  ];
}
