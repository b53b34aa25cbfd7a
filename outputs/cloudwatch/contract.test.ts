import { type Harness, outputContract, REFUSED } from "../../test/contract/output-contract.ts";
import { FakeCloudwatch } from "../../test/fakes/cloudwatch.ts";
import definition from "./index.ts";

const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/** The suite's entries are of that day. */
const now = () => Date.UTC(2026, 1, 2);

function harness(options: Record<string, unknown>): () => Promise<Harness> {
  return async () => {
    const fake = await FakeCloudwatch.start({ refuse: REFUSED, now });
    return {
      options: {
        ...{ log_group: "/audit/$TAG", endpoint: fake.url, region: "us-east-1" },
        ...{ access_key_id: "AKIAIOSFODNN7EXAMPLE", secret_access_key: SECRET, too_large: "cut" },
        ...options,
      },
      received: async () => fake.events.map(({ message }) => message),
      fail: (mode) => fake.fail(mode),
      heal: () => fake.heal(),
      restart: () => fake.restart(),
      answerEarly: async (status) => {
        const { bodies, done } = fake.answerEarly(status);
        // As the entries were before they became strings.
        return { bodies: () => bodies().map((body) => Buffer.from(body.toString().replaceAll('\\"', '"'))), done };
      },
      retryAfterMs: 3_000,
      secrets: [SECRET],
      stop: () => fake.stop(),
    };
  };
}

const skip = {
  "special characters and long records": "a megabyte is the most; see output.test.ts",
  "an early 413 with a slow reader mixes no bytes":
    "a request too large is halved at once, so its parts begin anywhere",
};
const original = {
  "NaN does not poison": "originals stay as they are",
  "what is no JSON arrives as a message": "originals stay as they are",
  "additions are merged once": "originals get none",
};

outputContract(definition, harness({}), { skip });
outputContract(definition, harness({ format: "original" }), { skip: { ...skip, ...original } });
