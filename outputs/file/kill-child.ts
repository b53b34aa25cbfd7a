/** Writes groups of numbered entries for ever, as the lane would: plan stored, written, noted. Killed by `kill.long.test.ts`. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../agent/api/clock.ts";
import type { ObjectPlan } from "../../agent/api/output.ts";
import { Scanner } from "../../agent/json/scanner.ts";
import { batchOf, entries } from "../../test/contract/records.ts";
import { FileOutput } from "./output.ts";

const GROUP = 50;
const [home = "", keyText = "", until = "Infinity"] = process.argv.slice(2);
const key = keyText === "" ? undefined : Buffer.from(keyText, "hex");
const state = join(home, "state.json");

interface State {
  next: number;
  plan?: Omit<ObjectPlan, "repeat">;
}
const load = (): State => {
  try {
    return JSON.parse(readFileSync(state, "utf8")) as State;
  } catch {
    return { next: 0 };
  }
};
const save = (value: State) => {
  writeFileSync(`${state}.tmp`, JSON.stringify(value));
  renameSync(`${state}.tmp`, state);
};

const output = new FileOutput(
  {
    path: join(home, "archive", "a.jsonl"),
    format: "json",
    rotateSize: 40_000,
    rotateAge: undefined,
    compression: "gzip",
    key,
  },
  { alias: "a", node: "n", version: "0", clock: systemClock, fields: new Scanner(["timestamp"]), emit: () => {} },
);
process.stdout.write("writing\n");
let { next, plan } = load();
while (next < Number(until)) {
  const repeat = plan !== undefined;
  if (plan === undefined) {
    const made = {
      id: `plan ${next}`,
      partition: join(home, "archive", "a.jsonl"),
      first: "",
      last: "",
      records: GROUP,
    };
    plan = { ...made, note: await output.prepare(made) };
    save({ next, plan });
  }
  const lines = entries(GROUP, next, "x".repeat(200));
  const batches = (async function* () {
    yield batchOf(lines);
  })();
  await output.writeObject(batches, { ...plan, repeat }, new AbortController().signal);
  next += GROUP;
  plan = undefined;
  save({ next });
}
await output.idle();
await output.close();
