import { outputContract, REFUSED } from "../../test/contract/output-contract.ts";
import { FakeElasticsearch } from "../../test/fakes/elasticsearch.ts";
import definition from "./index.ts";

const SECRET = "c2VjcmV0LWlkOnNlY3JldC1rZXk=";

outputContract(definition, async () => {
  const fake = await FakeElasticsearch.start({ refuse: REFUSED, authorization: `ApiKey ${SECRET}`, retryAfter: "3" });
  return {
    options: { url: fake.url, api_key: SECRET },
    received: async () => fake.documents.map(({ source }) => source),
    fail: (mode) => fake.fail(mode),
    heal: () => fake.heal(),
    restart: () => fake.restart(),
    answerEarly: async (status) => fake.answerEarly(status),
    retryAfterMs: 3_000,
    added: ["@timestamp", "time_from"],
    secrets: [SECRET],
    stop: () => fake.stop(),
  };
});
