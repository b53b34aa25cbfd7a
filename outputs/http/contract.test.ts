import { type Harness, outputContract, REFUSED } from "../../test/contract/output-contract.ts";
import { FakeSink } from "../../test/fakes/http-sink.ts";
import definition from "./index.ts";

const SECRET = "s3cr3t-value-of-a-header";

function harness(options: Record<string, unknown>): () => Promise<Harness> {
  return async () => {
    const fake = await FakeSink.start({ refuse: REFUSED, key: ["X-Key", SECRET] });
    return {
      options: { url: `${fake.url}/in/?a=b`, headers: { "X-Key": SECRET }, ...options },
      received: async () => fake.entries,
      fail: (mode) => fake.fail(mode),
      heal: () => fake.heal(),
      restart: () => fake.restart(),
      answerEarly: async (status) => fake.answerEarly(status),
      retryAfterMs: 3_000,
      secrets: [SECRET],
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
outputContract(definition, harness({ body: "json_array", compression: "gzip" }));
outputContract(definition, harness({ body: "single" }), { skip: { answerEarly: "a request for each entry is small" } });
outputContract(definition, harness({ format: "original" }), { skip: original });
