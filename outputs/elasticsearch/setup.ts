/**
 * Index template and lifecycle policy, on request.
 *
 * Writers disagree about `details` and `metadata`: an object here, `k=v,k=v` there, a number, null. In one index an object mapping refuses
 * the strings and a `flattened` one too. With `subobjects: false` there are no object mappings: `details` is a keyword and
 * `details.provider` is another, side by side, so every shape is taken and can be searched, with any keys. Every new field is a keyword, so
 * that no entry's type can be at odds with another's; values beyond 8,191 characters (32,764 bytes at most, below Lucene's limit of 32,766)
 * are kept but not indexed; and beyond `template.fields` an index takes new ones without indexing them. That limit is low on purpose: each
 * new field is an update of the cluster's state, some 10 to 100 ms, and an entry's keys may be anybody's invention.
 */
import type { Emit } from "../../agent/api/events.ts";
import { requestReason } from "./classify.ts";
import type { ElasticsearchClient, Reply } from "./client.ts";
import { DEFAULT_INDEX, type ElasticsearchOptions } from "./options.ts";

/** The operator's to mend: the lane waits and says why. */
export class SetupBlocked extends Error {}

type JsonObject = Record<string, unknown>;

const MANAGED_BY = "audit-agent";
const KEYWORD = { type: "keyword", ignore_above: 8191 };
const NUMBER = { type: "long", ignore_malformed: true };
const ADDRESS = { type: "ip", ignore_malformed: true };

/** Makes both, unless they are there and not ours. Throws `SetupBlocked`, or any error where trying again may help. */
export async function setUp(
  options: ElasticsearchOptions,
  client: ElasticsearchClient,
  emit: Emit,
  alias: string,
  signal: AbortSignal,
): Promise<void> {
  const name = templateName(options);
  const notice = (message: string) => emit({ is: "notice", level: "warn", component: alias, message });
  const lifecycle = await putPolicy(name, options, client, notice, signal);
  await putTemplate(name, options, lifecycle, client, notice, signal);
}

/** `audit-logs` of `audit-logs-%Y.%m.%d`. */
export function templateName(options: ElasticsearchOptions): string {
  if (options.template.name !== undefined) return options.template.name;
  const text = options.data_stream ?? options.index ?? DEFAULT_INDEX;
  return text.replace(/%./gs, "").replace(/[-._]+$/, "") || "audit-agent";
}

/** `audit-logs-*` of `audit-logs-%Y.%m.%d`. */
export function indexPattern(options: ElasticsearchOptions): string {
  if (options.data_stream !== undefined) return options.data_stream;
  return (options.index ?? DEFAULT_INDEX).replaceAll("%%", "%").replace(/%[A-Za-z]([^%]*%[A-Za-z])*/g, "*");
}

/** Only such names can be dated by `parse_origination_date`; any other makes Elasticsearch refuse to create the index. */
const ORIGINATION = /-%Y\.%m\.%d$/;

export function policyBody(options: ElasticsearchOptions): JsonObject {
  const { lifecycle } = options;
  const hot: JsonObject = { set_priority: { priority: lifecycle.hot_priority } };
  if (options.data_stream !== undefined) {
    hot.rollover = { max_primary_shard_size: size(lifecycle.rollover_size), max_age: time(lifecycle.rollover_age) };
  }
  const phases: JsonObject = { hot: { min_age: "0ms", actions: hot } };
  if (lifecycle.warm_after !== "never") {
    phases.warm = {
      min_age: time(lifecycle.warm_after),
      actions: {
        set_priority: { priority: lifecycle.warm_priority },
        shrink: { number_of_shards: lifecycle.shrink_to },
        forcemerge: { max_num_segments: lifecycle.merge_to },
      },
    };
  }
  if (lifecycle.cold_after !== "never") {
    const actions = { set_priority: { priority: lifecycle.cold_priority } };
    phases.cold = { min_age: time(lifecycle.cold_after), actions };
  }
  if (lifecycle.delete_after !== "never") {
    phases.delete = { min_age: time(lifecycle.delete_after), actions: { delete: {} } };
  }
  return { policy: { _meta: { managed_by: MANAGED_BY }, phases } };
}

export function templateBody(options: ElasticsearchOptions, policy: string | undefined): JsonObject {
  const settings: JsonObject = {
    "index.number_of_shards": options.template.shards,
    "index.number_of_replicas": options.template.replicas,
    "index.mapping.total_fields.limit": options.template.fields,
    "index.mapping.total_fields.ignore_dynamic_beyond_limit": true,
  };
  if (policy !== undefined) {
    settings["index.lifecycle.name"] = policy;
    if (options.data_stream === undefined && ORIGINATION.test(options.index ?? DEFAULT_INDEX)) {
      settings["index.lifecycle.parse_origination_date"] = true;
    }
  }
  return {
    index_patterns: [indexPattern(options)],
    ...(options.data_stream !== undefined && { data_stream: {} }),
    priority: options.template.priority,
    _meta: { managed_by: MANAGED_BY },
    template: { settings, mappings: mappings(options) },
  };
}

function mappings(options: ElasticsearchOptions): JsonObject {
  // A data stream must be able to rely on its time.
  const stamp = { type: "date_nanos", ...(options.data_stream === undefined && { ignore_malformed: true }) };
  return {
    subobjects: false,
    dynamic: true,
    date_detection: false,
    dynamic_templates: [{ everything: { match_mapping_type: "*", mapping: KEYWORD } }],
    properties: {
      "@timestamp": stamp,
      message: { type: "text" },
      details: KEYWORD,
      metadata: KEYWORD,
      ip: ADDRESS,
      ip_address: ADDRESS,
      iteration: NUMBER,
      pid: NUMBER,
      seq: NUMBER,
    },
  };
}

/** For servers before 8.3: any shape is kept, but not searched. */
function plainMappings(options: ElasticsearchOptions): JsonObject {
  const { properties } = mappings(options) as { properties: JsonObject };
  const kept = { type: "object", enabled: false };
  return { dynamic: false, properties: { ...properties, details: kept, metadata: kept } };
}

/** The policy's name; undefined where the server has no lifecycles. */
async function putPolicy(
  name: string,
  options: ElasticsearchOptions,
  client: ElasticsearchClient,
  notice: (message: string) => void,
  signal: AbortSignal,
): Promise<string | undefined> {
  const path = `/_ilm/policy/${encodeURIComponent(name)}`;
  const there = await client.ask({ method: "GET", path }, signal);
  // A missing policy is a JSON error with 404; a server without lifecycles answers 400, 404 without it, 405 or 410.
  const missing = there.status === 404 && /resource_not_found_exception|Lifecycle policy not found/.test(there.text);
  if (there.status !== 200 && !missing) {
    if (![400, 404, 405, 410].includes(there.status)) fail("read the lifecycle policy", there);
    notice(`the server has no index lifecycles, so nothing ages or deletes the indices: ${brief(there)}`);
    return undefined;
  }
  if (there.status === 200 && !isOurs(there.text, name)) {
    notice(`the lifecycle policy ${name} exists and is not this agent's: it is used as it is`);
    return name;
  }
  const put = await client.ask({ method: "PUT", path, body: JSON.stringify(policyBody(options)) }, signal);
  if (put.status !== 200) fail("make the lifecycle policy", put);
  return name;
}

async function putTemplate(
  name: string,
  options: ElasticsearchOptions,
  policy: string | undefined,
  client: ElasticsearchClient,
  notice: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const path = `/_index_template/${encodeURIComponent(name)}`;
  const there = await client.ask({ method: "GET", path }, signal);
  if (there.status !== 200 && there.status !== 404) fail("read the index template", there);
  if (there.status === 200 && !isOurs(there.text, name)) {
    notice(`the index template ${name} exists and is not this agent's: it is used as it is`);
    return;
  }
  const body = templateBody(options, policy) as {
    data_stream?: object;
    template: { settings: JsonObject; mappings: JsonObject };
  };
  const { template } = body;
  // Each round gives up one thing that this server does not know, and says so.
  for (;;) {
    const put = await client.ask({ method: "PUT", path, body: JSON.stringify(body) }, signal);
    if (put.status === 200) return;
    const setting = Object.keys(template.settings).find((key) => put.text.includes(key));
    if (put.status === 400 && setting !== undefined) {
      delete template.settings[setting];
      notice(`the server does not know the setting ${setting}; going on without it: ${brief(put)}`);
    } else if (put.status === 400 && body.data_stream && /unknown field \[data_stream\]/.test(put.text)) {
      delete body.data_stream;
      notice(`the server has no data streams: ${options.data_stream} becomes an index, which never rolls over`);
    } else if (put.status === 400 && put.text.includes("subobjects") && template.mappings.subobjects === false) {
      template.mappings = plainMappings(options);
      notice("the server is too old for `subobjects: false`: details and metadata are kept but cannot be searched");
    } else fail("make the index template", put);
  }
}

function isOurs(text: string, name: string): boolean {
  try {
    const body = JSON.parse(text) as Record<string, { policy?: { _meta?: { managed_by?: unknown } } }> & {
      index_templates?: { index_template?: { _meta?: { managed_by?: unknown } } }[];
    };
    const meta = body.index_templates ? body.index_templates[0]?.index_template?._meta : body[name]?.policy?._meta;
    return meta?.managed_by === MANAGED_BY;
  } catch {
    return false;
  }
}

function fail(what: string, { status, text }: Reply): never {
  const message = `cannot ${what}: ${requestReason(status, text)}`;
  throw status === 429 || status >= 500 ? new Error(message) : new SetupBlocked(message);
}

function brief({ status, text }: Reply): string {
  return requestReason(status, text).slice(0, 300);
}

/** Elasticsearch's time units have no weeks and no fractions. */
function time(ms: number): string {
  if (ms % 86_400_000 === 0) return `${ms / 86_400_000}d`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${Math.round(ms)}ms`;
}

/** In Elasticsearch's units, which are powers of 1024: it shows a policy as it was written. */
function size(bytes: number): string {
  const units = ["b", "kb", "mb", "gb", "tb"];
  let unit = 0;
  let number = bytes;
  while (number % 1024 === 0 && unit < units.length - 1) {
    number /= 1024;
    unit++;
  }
  return `${number}${units[unit]}`;
}
