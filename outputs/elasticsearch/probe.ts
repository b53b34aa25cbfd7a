/** Checks what `write` will need, without writing: the address, the account, its privileges. */
import { requestReason } from "./classify.ts";
import type { ElasticsearchClient } from "./client.ts";
import type { ElasticsearchOptions } from "./options.ts";

/** The oldest major that this client's requests are made for. */
const OLDEST = 8;

/** `target`: the index or data stream that would be written to now. Throws with a reason a person can act on. */
export async function probe(
  options: ElasticsearchOptions,
  target: string,
  client: ElasticsearchClient,
  signal: AbortSignal,
): Promise<void> {
  const root = await client.ask({ method: "GET", path: "/" }, signal);
  // An account that may only write is refused here, and may still write.
  if (root.status !== 200 && root.status !== 403) throw new Error(requestReason(root.status, root.text));
  const version = root.status === 200 ? versionOf(root.text) : undefined;
  if (version !== undefined && Number.parseInt(version, 10) < OLDEST) {
    throw new Error(`Elasticsearch ${version} is too old: ${OLDEST}.0 or later is needed`);
  }
  await checkPrivileges(options, target, client, signal);
}

function versionOf(text: string): string | undefined {
  try {
    const { version } = JSON.parse(text) as { version?: { number?: unknown } };
    return typeof version?.number === "string" ? version.number : undefined;
  } catch {
    return undefined;
  }
}

async function checkPrivileges(
  options: ElasticsearchOptions,
  target: string,
  client: ElasticsearchClient,
  signal: AbortSignal,
): Promise<void> {
  if (!options.api_key && !options.bearer && options.username === undefined) return;
  const cluster = options.setup ? ["manage_index_templates", "manage_ilm"] : [];
  const needed = {
    cluster,
    // Creating the index with its first document takes either of the last two.
    index: [{ names: [target], privileges: ["create_doc", "auto_configure", "create_index"] }],
  };
  const body = JSON.stringify(needed);
  const answer = await client.ask({ method: "POST", path: "/_security/user/_has_privileges", body }, signal);
  if (answer.status === 401) throw new Error(requestReason(answer.status, answer.text));
  // A server without security does not know the question.
  if (answer.status !== 200) return;
  const missing = missingPrivileges(answer.text, target);
  if (missing.length > 0) {
    throw new Error(`the account lacks ${missing.join(" and ")}`);
  }
}

function missingPrivileges(text: string, target: string): string[] {
  const answer = JSON.parse(text) as {
    cluster?: Record<string, boolean>;
    index?: Record<string, Record<string, boolean>>;
  };
  const missing = Object.entries(answer.cluster ?? {})
    .filter(([, has]) => !has)
    .map(([name]) => `the cluster privilege ${name}`);
  const index = answer.index?.[target] ?? {};
  if (index.create_doc === false) missing.push(`create_doc on ${target}`);
  if (index.auto_configure === false && index.create_index === false) {
    missing.push(`auto_configure (to create the index) on ${target}`);
  }
  return missing;
}
