import { expect, test } from "vitest";
import type { AgentEvent } from "../../agent/api/events.ts";
import type { Ask, ElasticsearchClient, Reply } from "./client.ts";
import { elasticsearchOptions } from "./options.ts";
import { indexPattern, policyBody, SetupBlocked, setUp, templateBody, templateName } from "./setup.ts";

const parse = (options: object) => elasticsearchOptions.parse({ url: "http://h", ...options });

test.each([
  [{}, "audit-logs", "audit-logs-*"],
  [{ index: "audit-%Y.%m.%d.%H" }, "audit", "audit-*"],
  [{ index: "a-%Y-team" }, "a--team", "a-*-team"],
  [{ index: "a-%Y-x-%m-y" }, "a--x--y", "a-*-y"],
  [{ index: "audit" }, "audit", "audit"],
  [{ index: "100%%-%F" }, "100", "100%-*"],
  [{ data_stream: "logs-audit-default" }, "logs-audit-default", "logs-audit-default"],
  [{ template: { name: "mine" } }, "mine", "audit-logs-*"],
])("%j: template %s for %s", (options, name, pattern) => {
  expect(templateName(parse(options))).toBe(name);
  expect(indexPattern(parse(options))).toBe(pattern);
});

test("the policy of date-named indices has no rollover, that of a data stream has", () => {
  expect(policyBody(parse({}))).toEqual({
    policy: {
      _meta: { managed_by: "audit-agent" },
      phases: {
        hot: { min_age: "0ms", actions: { set_priority: { priority: 100 } } },
        warm: {
          min_age: "7d",
          actions: {
            set_priority: { priority: 50 },
            shrink: { number_of_shards: 1 },
            forcemerge: { max_num_segments: 1 },
          },
        },
        cold: { min_age: "30d", actions: { set_priority: { priority: 0 } } },
        delete: { min_age: "365d", actions: { delete: {} } },
      },
    },
  });
  const { policy } = policyBody(parse({ data_stream: "d" })) as { policy: { phases: { hot: object } } };
  expect(policy.phases.hot).toEqual({
    min_age: "0ms",
    actions: {
      set_priority: { priority: 100 },
      rollover: { max_primary_shard_size: "50gb", max_age: "1d" },
    },
  });
});

test("every number of the lifecycle can be set, every phase left out", () => {
  const lifecycle = {
    warm_after: "1h",
    cold_after: "90s",
    delete_after: "never",
    hot_priority: 9,
    warm_priority: 8,
    cold_priority: 7,
    shrink_to: 2,
    merge_to: 3,
    rollover_size: "1GiB",
    rollover_age: "12h",
  };
  const text = JSON.stringify(policyBody(parse({ data_stream: "d", lifecycle })));
  for (const part of ['"3600s"', '"90s"', ":9}", ":8}", ":7}", '"number_of_shards":2', ":3}", '"1gb"', '"43200s"']) {
    expect(text).toContain(part);
  }
  expect(text).not.toContain("delete");
  const none = policyBody(parse({ lifecycle: { warm_after: "never", cold_after: "never", delete_after: "never" } }));
  expect(Object.keys((none as { policy: { phases: object } }).policy.phases)).toEqual(["hot"]);
});

test("the date of the name counts only where Elasticsearch can read it", () => {
  const dated = (options: object) =>
    JSON.stringify(templateBody(parse(options), "p")).includes('"index.lifecycle.parse_origination_date":true');
  expect(dated({})).toBe(true);
  expect([{ index: "a-%Y-%m-%d" }, { index: "a-%Y.%m.%d.%H" }, { index: "a" }, { data_stream: "d" }].some(dated)).toBe(
    false,
  );
  expect(JSON.stringify(templateBody(parse({}), undefined))).not.toContain("lifecycle");
});

/** A server that answers from a table, in which a function sees the request. */
function server(table: Record<string, (body: string) => Partial<Reply>>) {
  const asked: Ask[] = [];
  const client = {
    ask: async (ask: Ask) => {
      asked.push(ask);
      const answer = table[`${ask.method} ${ask.path.split("/")[1]}`]?.(String(ask.body ?? "")) ?? {};
      return {
        status: 404,
        text: '{"error":{"type":"resource_not_found_exception","reason":""}}',
        retryAfter: undefined,
        resent: false,
        ...answer,
      };
    },
  } as unknown as ElasticsearchClient;
  return { client, asked };
}

async function run(table: Parameters<typeof server>[0], options = {}) {
  const { client, asked } = server(table);
  const events: AgentEvent[] = [];
  await setUp(parse(options), client, (event) => void events.push(event), "es", new AbortController().signal);
  const notices = events.map((event) => (event.is === "notice" ? event.message : event.is));
  return { asked, notices, template: JSON.parse(String(asked.at(-1)!.body)) as Record<string, never> };
}

const ok = () => ({ status: 200, text: "{}" });
const bad = (reason: string) => ({
  status: 400,
  text: JSON.stringify({ error: { type: "illegal_argument_exception", reason }, status: 400 }),
});

test("what the server lacks is given up piece by piece, and said", async () => {
  const unknown = ["index.mapping.total_fields.ignore_dynamic_beyond_limit", "index.number_of_shards"];
  const { notices, template } = await run({
    "GET _ilm": () => bad("no handler found for uri [/_ilm/policy/audit-logs]"),
    "PUT _index_template": (body) => {
      const setting = unknown.find((name) => body.includes(`"${name}"`));
      if (setting) return bad(`unknown setting [${setting}] please check that any required plugins are installed`);
      return body.includes('"subobjects"') ? bad("unknown parameter [subobjects] on mapper") : ok();
    },
  });
  expect(notices).toHaveLength(4);
  expect(notices[0]).toMatch(/no index lifecycles/);
  expect(template).toMatchObject({
    template: { mappings: { dynamic: false, properties: { details: { type: "object", enabled: false } } } },
  });
  expect(JSON.stringify(template)).not.toMatch(/lifecycle|number_of_shards|beyond_limit/);
});

test("without data streams the name becomes an index, and that is said", async () => {
  const { notices, template } = await run(
    {
      "PUT _ilm": ok,
      "PUT _index_template": (body) =>
        body.includes('"data_stream"') ? bad("[1:9] [index_template] unknown field [data_stream]") : ok(),
    },
    { data_stream: "logs-audit" },
  );
  expect(notices).toEqual([expect.stringMatching(/no data streams: logs-audit becomes an index/)]);
  expect(template).toMatchObject({ index_patterns: ["logs-audit"], priority: 500 });
  expect(template).not.toHaveProperty("data_stream");
});

test.each([
  [{ "PUT _ilm": () => ({ status: 403, text: "" }) }, SetupBlocked],
  [{ "GET _ilm": () => ({ status: 401, text: "" }) }, SetupBlocked],
  [{ "PUT _ilm": ok, "PUT _index_template": () => bad("something else") }, SetupBlocked],
  [{ "PUT _ilm": ok, "PUT _index_template": () => ({ status: 503, text: "" }) }, Error],
])("what cannot be made stops the setup %#", async (table, kind) => {
  const error = await run(table).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(kind);
  expect(error instanceof SetupBlocked).toBe(kind === SetupBlocked);
});
