import { afterEach, describe, test } from "vitest";
import type { AnyOutputDefinition } from "../../agent/api/plugin.ts";
import type { Harness, Scenario } from "./harness.ts";
import { TestLane } from "./lane.ts";
import { scenarios } from "./scenarios.ts";

export { type Harness, REFUSED } from "./harness.ts";

export interface ContractSettings {
  /** Scenarios and modes this destination cannot do, each with the reason; shown in the report. */
  readonly skip?: Readonly<Record<string, string>>;
}

/**
 * The contract suite. `start` makes a fresh destination per scenario. A scenario that needs what the harness cannot do fails, unless
 * `skip` names it (or the mode it needs) with a reason.
 */
export function outputContract(
  definition: AnyOutputDefinition,
  start: () => Promise<Harness>,
  settings: ContractSettings = {},
): void {
  const skip = settings.skip ?? {};
  describe(`${definition.name} keeps the output contract`, () => {
    const known = new Set<string>(scenarios.flatMap(({ name, needs }) => [name, ...(needs ?? [])]));
    const closing: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const close of closing.splice(0).reverse()) await close();
    });

    test.each(Object.keys(skip).filter((name) => !known.has(name)))("skip names a scenario that exists: %s", (name) => {
      throw new Error(`there is no scenario or mode "${name}"`);
    });
    for (const scenario of scenarios) {
      test(scenario.name, async (context) => {
        const reason =
          skip[scenario.name] ?? scenario.needs?.map((need) => skip[need]).find((why) => why !== undefined);
        if (reason !== undefined) return context.skip(reason);
        const harness = await start();
        closing.push(() => harness.stop());
        const inapplicable = scenario.applies?.(definition, harness.options);
        if (inapplicable !== undefined) return context.skip(inapplicable);
        await runScenario(scenario, definition, harness, (close) => void closing.push(close));
      });
    }
  });
}

/** Runs one scenario against one fresh destination; throws where the output breaks the contract. */
export async function runScenario(
  scenario: Scenario,
  definition: AnyOutputDefinition,
  harness: Harness,
  onClose: (close: () => Promise<void>) => void,
): Promise<void> {
  for (const need of scenario.needs ?? []) {
    const can = need === "restart" || need === "answerEarly" ? harness[need] : harness.fail && harness.heal;
    if (!can) throw new Error(`the harness cannot do "${need}": teach it, or name it in skip with a reason`);
  }
  const said: string[] = [];
  const breaches: string[] = [];
  const open = async () => {
    const lane = await TestLane.open(definition, harness.options, said, breaches);
    onClose(() => lane.close());
    return lane;
  };
  await scenario.run({ definition, harness, open, said });
  if (breaches.length > 0) throw new Error(breaches[0]);
}
