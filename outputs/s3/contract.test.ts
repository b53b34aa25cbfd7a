import { type ContractSettings, type Harness, outputContract } from "../../test/contract/output-contract.ts";
import { FakeS3 } from "../../test/fakes/s3.ts";
import definition from "./index.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

function harness(options: Record<string, unknown>): () => Promise<Harness> {
  return async () => {
    const fake = await FakeS3.start("archive");
    return {
      options: {
        bucket: "archive",
        endpoint: fake.url,
        region: "us-east-1",
        force_path_style: true,
        access_key_id: "AKIAIOSFODNN7EXAMPLE",
        secret_access_key: SECRET,
        ...options,
      },
      received: async () => fake.lines(),
      fail: (mode) => {
        if (mode !== "refused") fake.fail(mode);
      },
      heal: () => fake.heal(),
      restart: () => fake.restart(),
      retryAfterMs: 3_000,
      secrets: [SECRET],
      stop: () => fake.stop(),
    };
  };
}

const skip: ContractSettings["skip"] = {
  refused: "an object is stored whole or not at all",
  answerEarly: "every body is a buffer of its own",
};
const original = {
  "NaN does not poison": "originals stay as they are",
  "what is no JSON arrives as a message": "originals stay as they are",
  "additions are merged once": "originals get none",
};

outputContract(definition, harness({}), { skip });
outputContract(definition, harness({ compression: "zstd", object_lock: { preset: "hipaa" } }), { skip });
outputContract(definition, harness({ compression: "none", format: "original" }), { skip: { ...skip, ...original } });
