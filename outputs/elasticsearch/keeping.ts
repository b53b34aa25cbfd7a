/** How long indices are kept: what the server says of the lifecycle that they have, or will have. */
import type { OutputContext } from "../../agent/api/context.ts";
import type { Keeping } from "../../agent/api/plugin.ts";
import { timeTemplate } from "../shared/strftime.ts";
import { requestReason } from "./classify.ts";
import { ElasticsearchClient, type Reply } from "./client.ts";
import { DEFAULT_INDEX, type ElasticsearchOptions } from "./options.ts";
import { indexPattern, templateName } from "./setup.ts";

const DAY_MS = 86_400_000;
/** https://www.elastic.co/docs/reference/elasticsearch/rest-apis/api-conventions#time-units */
const UNITS: Readonly<Record<string, number>> = { d: DAY_MS, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

export async function keepings(
  options: ElasticsearchOptions,
  { clock }: OutputContext,
  signal: AbortSignal,
): Promise<readonly Keeping[]> {
  const client = new ElasticsearchClient(options);
  try {
    return await ask(options, client, clock.now(), signal);
  } finally {
    await client.close();
  }
}

async function ask(
  options: ElasticsearchOptions,
  client: ElasticsearchClient,
  now: number,
  signal: AbortSignal,
): Promise<readonly Keeping[]> {
  const get = (path: string, method: "GET" | "POST" = "GET") => client.ask({ method, path }, signal);
  const pattern = encodeURIComponent(indexPattern(options));
  // An index without a policy is named for its date of creation.
  const settings = await client.ask(
    {
      method: "GET",
      path: `/${pattern}/_settings/index.lifecycle.name,index.creation_date`,
      query: { flat_settings: "true" },
    },
    signal,
  );
  if (settings.status !== 200 && settings.status !== 404) {
    if (!options.setup) throw new Error(`the server does not say (view_index_metadata is needed): ${reason(settings)}`);
    return [{ by: "`lifecycle.delete_after`, as configured (the server does not say)", days: configured(options) }];
  }
  const policies = policiesOf(settings);
  if (options.data_stream !== undefined && (policies.size === 0 || policies.has(undefined))) {
    const own = retentionOf(await get(`/_data_stream/${pattern}/_lifecycle`));
    if (own !== undefined) return [{ by: `the lifecycle of the data stream ${options.data_stream}`, days: own }];
  }
  if (policies.size === 0) {
    if (options.setup) policies.add(templateName(options));
    else policies.add(simulated(await get(`/_index_template/_simulate_index/${target(options, now)}`, "POST")));
  }
  const found: Keeping[] = [];
  for (const name of policies) {
    if (name === undefined) {
      found.push({ by: `no lifecycle policy for ${indexPattern(options)}`, days: null });
      continue;
    }
    const policy = await get(`/_ilm/policy/${encodeURIComponent(name)}`);
    if (policy.status === 200) found.push({ by: `the lifecycle policy ${name}`, days: deletedAfter(policy, name) });
    else if (policy.status === 404 && options.setup)
      found.push({ by: `the lifecycle policy ${name}, not made yet`, days: configured(options) });
    else throw new Error(`the lifecycle policy ${name} cannot be read (read_ilm is needed): ${reason(policy)}`);
  }
  return found;
}

const reason = ({ status, text }: Reply) => requestReason(status, text);

function target(options: ElasticsearchOptions, now: number): string {
  return encodeURIComponent(options.data_stream ?? timeTemplate(options.index ?? DEFAULT_INDEX).format(now));
}

function configured({ lifecycle }: ElasticsearchOptions): number | null {
  return lifecycle.delete_after === "never" ? null : lifecycle.delete_after / DAY_MS;
}

/** Names of policies, and undefined where an index has none. */
function policiesOf({ status, text }: Reply): Set<string | undefined> {
  if (status !== 200) return new Set();
  const indices = parse(text) as Record<string, { settings?: Record<string, unknown> }>;
  const names = Object.values(indices).map(({ settings }) => settings?.["index.lifecycle.name"]);
  return new Set(names.map((name) => (typeof name === "string" ? name : undefined)));
}

function simulated({ status, text }: Reply): string | undefined {
  if (status !== 200) return undefined;
  const { template } = parse(text) as { template?: { settings?: { index?: { lifecycle?: { name?: unknown } } } } };
  const name = template?.settings?.index?.lifecycle?.name;
  return typeof name === "string" ? name : undefined;
}

/** undefined: no lifecycle of its own. */
function retentionOf({ status, text }: Reply): number | null | undefined {
  if (status !== 200) return undefined;
  type Answer = { data_streams?: { lifecycle?: { data_retention?: unknown; effective_retention?: unknown } }[] };
  const lifecycle = (parse(text) as Answer).data_streams?.[0]?.lifecycle;
  if (lifecycle === undefined) return undefined;
  return days(lifecycle.effective_retention ?? lifecycle.data_retention);
}

function deletedAfter({ text }: Reply, name: string): number | null {
  type Answer = Record<string, { policy?: { phases?: { delete?: { min_age?: unknown } } } }>;
  return days((parse(text) as Answer)[name]?.policy?.phases?.delete?.min_age);
}

function days(age: unknown): number | null {
  const match = /^(\d+)(d|h|ms|m|s)$/.exec(String(age));
  return match === null ? null : (Number(match[1]) * UNITS[match[2]!]!) / DAY_MS;
}

function parse(text: string): object {
  const value: unknown = JSON.parse(text);
  return typeof value === "object" && value !== null ? value : {};
}
