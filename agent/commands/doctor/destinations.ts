import { fieldsFor, probe } from "../parts.ts";
import { error, type Finding, ok, type Subject } from "./check.ts";

/** Each destination asked, as its output would use it. */
export async function checkDestinations({ config, context }: Subject): Promise<readonly Finding[]> {
  const fields = await fieldsFor(config);
  return Promise.all(
    config.outputs.map(async (output): Promise<Finding> => {
      const problem = await probe(output, config, fields, context);
      if (problem === undefined) return ok(`${output.alias} would take entries`);
      const todo =
        "nothing is lost meanwhile: what is read waits in the queue; set right what the destination complains of";
      return error(`${output.alias} would take nothing: ${problem}`, todo);
    }),
  );
}
