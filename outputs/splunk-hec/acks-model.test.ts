/** Collectors that crash, drop connections and are busy at any moment: what was delivered is indexed. */
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { seeded } from "../../test/fakes/random.ts";
import { FakeSplunk } from "../../test/fakes/splunk.ts";
import { splunkOutput, writeLines } from "../../test/fakes/splunk-output.ts";

const WRITES = 150;
const AT_ONCE = 12;

test.each(Array.from({ length: Number(process.env.RUNS ?? 2) }, (_, i) => i + Number(process.env.SEED ?? 1)))(
  "seed %d",
  async (seed) => {
    const random = seeded(seed);
    const onlyCrashes = seed % 2 === 0;
    const fakes = await Promise.all(
      Array.from({ length: 1 + (seed % 2) }, () =>
        FakeSplunk.start({ token: "t", acknowledgement: true, ackAfter: () => (random() < 0.3 ? 15 : 1) }),
      ),
    );
    const options = { acknowledge: true, ack_interval: "10ms", ack_timeout: "500ms" };
    const out = await splunkOutput({ url: fakes.map(({ url }) => url), ...options });
    let next = 0;
    const work = async () => {
      while (next < WRITES) {
        const lines = [`{"n":${next++}}`];
        // As the lane does: until it is delivered.
        for (;;) {
          const result = await writeLines(out, lines).catch(() => undefined);
          if (result !== undefined && Object.keys(result).length === 0) break;
          await delay(1);
        }
      }
    };
    const working = Promise.all(Array.from({ length: AT_ONCE }, work)).then(() => (next = Number.POSITIVE_INFINITY));
    while (next !== Number.POSITIVE_INFINITY) {
      const fake = fakes[Math.floor(random() * fakes.length)]!;
      // Crashes alone, one after the other, break nothing that could be noticed and keep the ids low: the same come again and again.
      const dice = onlyCrashes ? 0 : random();
      if (dice < 0.5) fake.crash();
      else if (dice < 0.7) await fake.restart();
      else if (dice < 0.85) fake.fail("unavailable");
      else fake.fail("drop");
      await delay(random() * 40);
      fake.heal();
      await delay(random() * 300);
    }
    await working;
    const arrived = new Set(fakes.flatMap(({ events }) => events.map(({ text }) => text)));
    await out.close();
    for (const fake of fakes) await fake.stop();
    expect([...Array(WRITES).keys()].filter((n) => !arrived.has(`{"n":${n}}`))).toEqual([]);
  },
);
