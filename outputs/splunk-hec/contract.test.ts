import { type Harness, outputContract, REFUSED } from "../../test/contract/output-contract.ts";
import { FakeSplunk } from "../../test/fakes/splunk.ts";
import definition from "./index.ts";

const TOKEN = "7d9a0b1c-5f2e-4a3b-8c6d-9e0f1a2b3c4d";

function harness(options: Record<string, unknown>, acknowledgement = false): () => Promise<Harness> {
  return async () => {
    const fake = await FakeSplunk.start({ token: TOKEN, refuse: REFUSED, acknowledgement, ackAfter: 2 });
    return {
      options: { url: fake.url, token: TOKEN, ...options },
      received: async () => fake.events.map(({ text }) => text),
      fail: (mode) => fake.fail(mode),
      heal: () => fake.heal(),
      restart: () => fake.restart(),
      answerEarly: async (status) => fake.answerEarly(status),
      retryAfterMs: 3_000,
      secrets: [TOKEN],
      stop: () => fake.stop(),
    };
  };
}

const original = {
  "NaN does not poison": "originals stay as they are",
  "what is no JSON arrives as a message": "originals stay as they are",
  "additions are merged once": "originals get none",
};

outputContract(definition, harness({}));
outputContract(definition, harness({ acknowledge: true, ack_interval: "20ms", compression: "gzip" }, true));
outputContract(definition, harness({ mode: "raw" }));
outputContract(definition, harness({ mode: "raw", format: "original" }), { skip: original });
