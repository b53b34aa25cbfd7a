/** What every output to AWS has in common: the options, and the SDK client's configuration made of them. The SDK itself is imported late. */
import type { NodeHttpHandlerOptions } from "@smithy/node-http-handler";
import { z } from "zod";
import { optionalDuration, type Secret, secret, type TlsOptions, tlsOptions, url } from "../../agent/api/options.ts";
import type { OptionProblem } from "../../agent/api/plugin.ts";
import { agentsFor } from "./agents.ts";
import { type AwsFailure, awsFailure } from "./aws-failure.ts";
import { named } from "./lazy.ts";
import { withoutSecrets } from "./secrets.ts";
import { tlsProblems } from "./tls.ts";

/** Spread into an output's `z.strictObject`. */
export const awsOptions = {
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, "must be a region such as eu-central-1")
    .optional()
    .meta({ doc: "Region; by default AWS_REGION, or the profile's.", example: "eu-central-1" }),
  endpoint: url(
    "Another address of the service: a private endpoint, or something that speaks its protocol.",
  ).optional(),
  access_key_id: secret(
    "Access key. By default the SDK's chain: environment, profile, web identity, container, instance.",
  )
    .optional()
    .meta({ example: "${file:/run/secrets/aws-access-key-id}" }),
  secret_access_key: secret("Secret of the access key.")
    .optional()
    .meta({ example: "${file:/run/secrets/aws-secret-access-key}" }),
  session_token: secret("Session token, where the access key is a temporary one.").optional(),
  profile: z.string().min(1).optional().meta({ doc: "Profile in the shared AWS configuration files." }),
  assume_role: z
    .strictObject({
      role_arn: z
        .string()
        .regex(/^arn:[\w-]+:iam::\d{12}:role\/[\x21-\x7e]+$/, "must be the ARN of a role")
        .meta({ doc: "Role to assume.", example: "arn:aws:iam::123456789012:role/audit-archive" }),
      external_id: z
        .string()
        .min(2)
        .max(1_224)
        .optional()
        .meta({ doc: "External id that the role's trust policy asks for." }),
      session_name: z
        .string()
        .regex(/^[\w+=,.@-]{2,64}$/, "must be 2 to 64 letters, digits or +=,.@-_")
        .optional()
        .meta({ doc: "Name of the session, as CloudTrail shows it; by default audit-agent and the node." }),
      duration: optionalDuration(
        "How long the role's credentials last before they are renewed; 15m to 12h, by default 1h.",
      ),
      endpoint: url("Another address of the token service (STS).").optional(),
    })
    .optional()
    .meta({ doc: "Assume a role with the credentials above." }),
  tls: tlsOptions.optional(),
};

export interface AwsOptions {
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly access_key_id?: Secret | undefined;
  readonly secret_access_key?: Secret | undefined;
  readonly session_token?: Secret | undefined;
  readonly profile?: string | undefined;
  readonly assume_role?:
    | {
        readonly role_arn: string;
        readonly external_id?: string | undefined;
        readonly session_name?: string | undefined;
        readonly duration?: number | undefined;
        readonly endpoint?: string | undefined;
      }
    | undefined;
  readonly tls?: TlsOptions | undefined;
}

const MIN_ROLE_MS = 15 * 60_000;
const MAX_ROLE_MS = 12 * 3_600_000;

/** What is wrong with the options as a whole; for a plugin's `check`. */
export function awsProblems(options: AwsOptions): { errors: OptionProblem[]; warnings: OptionProblem[] } {
  const { access_key_id, secret_access_key, session_token, profile, assume_role, endpoint, tls } = options;
  const errors = [...tlsProblems(tls)];
  const warnings: OptionProblem[] = [];
  if ((access_key_id === undefined) !== (secret_access_key === undefined)) {
    const missing = access_key_id === undefined ? "access_key_id" : "secret_access_key";
    errors.push({ path: [missing], message: "an access key needs both `access_key_id` and `secret_access_key`" });
  }
  if (session_token !== undefined && access_key_id === undefined)
    errors.push({ path: ["session_token"], message: "belongs to `access_key_id` and `secret_access_key`" });
  if (profile !== undefined && access_key_id !== undefined)
    warnings.push({ path: ["profile"], message: "its credentials are not used, as `access_key_id` is set" });
  const duration = assume_role?.duration;
  if (duration !== undefined && (duration < MIN_ROLE_MS || duration > MAX_ROLE_MS))
    errors.push({ path: ["assume_role", "duration"], message: "must be 15m to 12h" });
  if (endpoint?.startsWith("http:"))
    warnings.push({ path: ["endpoint"], message: "is not encrypted: anybody in between can read the log" });
  return { errors, warnings };
}

/** As the SDK wants it; `expiration` tells it to ask again. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}
type Provider = () => Promise<AwsCredentials>;

export interface AwsClientConfig {
  readonly region?: string;
  readonly endpoint?: string;
  readonly profile?: string;
  readonly credentials: Provider;
  readonly maxAttempts: 1;
  readonly retryMode: "standard";
  readonly customUserAgent: [string, string][];
  readonly requestHandler: NodeHttpHandlerOptions;
}

export interface AwsConnection {
  /** For the constructor of any of the SDK's clients. */
  readonly config: AwsClientConfig;
  /** What an error means, without any secret; credentials that were refused are asked for anew next time. */
  failure(error: unknown): AwsFailure;
  /** Closes the connections. */
  close(): void;
}

/** A connection on which nothing moves in either direction for so long is dead (a half-open one says nothing). */
const STALL_MS = 60_000;
const CONNECT_MS = 10_000;
/** Credentials are renewed so long before they end. */
const EARLY_MS = 5 * 60_000;
/** Who gives out what is about to end is asked no more often than this; the SDK wants credentials several times for one request. */
const AGAIN_MS = 60_000;

/** Imports the SDK's credential chain only where it is asked for. */
export function awsConnection(
  options: AwsOptions,
  context: { readonly node: string; readonly version: string; readonly clock: { now(): number } },
): AwsConnection {
  const agents = agentsFor(options.tls);
  const handler: NodeHttpHandlerOptions = { ...agents, connectionTimeout: CONNECT_MS, socketTimeout: STALL_MS };
  const { endpoint, profile } = options;
  const { AWS_REGION, AWS_DEFAULT_REGION } = process.env;
  // What speaks S3 elsewhere mostly has no regions, but the signature needs one.
  const region =
    options.region ?? AWS_REGION ?? AWS_DEFAULT_REGION ?? (endpoint === undefined ? undefined : "us-east-1");
  const shared = {
    ...(region !== undefined && { region }),
    maxAttempts: 1 as const,
    retryMode: "standard" as const,
    customUserAgent: [["audit-agent", context.version]] as [string, string][],
    requestHandler: handler,
  };
  const credentials = new Credentials(options, { ...context, shared });
  return {
    config: {
      ...shared,
      ...(endpoint !== undefined && { endpoint }),
      ...(profile !== undefined && { profile }),
      credentials: () => credentials.now(),
    },
    failure(error) {
      const failure = awsFailure(error);
      if (failure.credentials) credentials.forget();
      return { ...failure, reason: credentials.redact(failure.reason) };
    },
    close() {
      agents.httpAgent.destroy();
      agents.httpsAgent.destroy();
    },
  };
}

interface Asking {
  readonly node: string;
  readonly clock: { now(): number };
  readonly shared: Pick<AwsClientConfig, "region" | "maxAttempts" | "customUserAgent" | "requestHandler">;
}

/**
 * Keys from the options are revealed at every request, so a changed secret file counts at once. What the chain or the token service gave
 * is kept until shortly before its end, or until it is refused.
 */
class Credentials {
  readonly #options: AwsOptions;
  readonly #asking: Asking;
  #provider: Promise<Provider> | undefined;
  #kept: Promise<AwsCredentials> | undefined;
  #keptAt = 0;
  /** The keys a role was assumed with: under others it is assumed anew. */
  #keptFor = "";
  #last: AwsCredentials | undefined;

  constructor(options: AwsOptions, asking: Asking) {
    this.#options = options;
    this.#asking = asking;
  }

  /** What it answers is over at once as far as the SDK knows: so it asks for every request, and caching is this class's. */
  async now(): Promise<AwsCredentials> {
    const { assume_role, access_key_id } = this.#options;
    const given = access_key_id === undefined ? undefined : this.#given();
    const found =
      assume_role === undefined && given !== undefined ? given : await this.#cached(given?.accessKeyId ?? "");
    this.#last = found;
    return { ...found, expiration: new Date(0) };
  }

  forget(): void {
    this.#provider = undefined;
    this.#kept = undefined;
  }

  redact(text: string): string {
    const { secretAccessKey, sessionToken, accessKeyId } = this.#last ?? {};
    const known = [...this.#own(), secretAccessKey, sessionToken, accessKeyId];
    return withoutSecrets(
      text,
      known.filter((value) => value !== undefined),
    );
  }

  #own(): (string | undefined)[] {
    const { access_key_id, secret_access_key, session_token } = this.#options;
    return [secret_access_key, session_token, access_key_id].map((value) => {
      try {
        return value?.reveal().trim();
      } catch {
        return undefined; // A secret file that cannot be read: nothing of it can have been said.
      }
    });
  }

  #given(): AwsCredentials {
    const { access_key_id, secret_access_key, session_token } = this.#options;
    return {
      accessKeyId: access_key_id!.reveal().trim(),
      secretAccessKey: secret_access_key!.reveal().trim(),
      ...(session_token && { sessionToken: session_token.reveal().trim() }),
    };
  }

  async #cached(keys: string): Promise<AwsCredentials> {
    if (keys !== this.#keptFor) this.forget();
    this.#keptFor = keys;
    const kept = this.#kept;
    if (kept !== undefined) {
      const now = this.#asking.clock.now();
      const left = ((await kept).expiration?.getTime() ?? Infinity) - now;
      if (left > EARLY_MS || (left > 0 && now - this.#keptAt < AGAIN_MS)) return await kept;
      if (this.#kept === kept) this.#kept = undefined;
    }
    // One question for all requests that wait for its answer; a failure is nobody's to keep.
    if (this.#kept === undefined) this.#keptAt = this.#asking.clock.now();
    this.#kept ??= this.#ask();
    const asked = this.#kept;
    try {
      return await asked;
    } catch (error) {
      if (this.#kept === asked) this.#kept = undefined;
      throw error;
    }
  }

  async #ask(): Promise<AwsCredentials> {
    this.#provider ??= this.#make();
    return await (await this.#provider)();
  }

  async #make(): Promise<Provider> {
    const { fromNodeProviderChain, fromTemporaryCredentials } = named(await import("@aws-sdk/credential-providers"));
    const { profile, access_key_id, assume_role } = this.#options;
    const { node, shared } = this.#asking;
    // Its files are read once for all and kept, unless it is told not to: renewed keys would never be seen.
    const files = { ...(profile !== undefined && { profile }), ignoreCache: true };
    const chain = () => fromNodeProviderChain({ ...files, clientConfig: shared });
    const source: Provider = access_key_id === undefined ? chain() : async () => this.#given();
    if (assume_role === undefined) return source;
    const { role_arn, external_id, session_name, duration, endpoint } = assume_role;
    return fromTemporaryCredentials({
      masterCredentials: source,
      params: {
        RoleArn: role_arn,
        RoleSessionName: session_name ?? `audit-agent-${node.replace(/[^\w+=,.@-]/g, "-")}`.slice(0, 64),
        ...(external_id !== undefined && { ExternalId: external_id }),
        ...(duration !== undefined && { DurationSeconds: Math.floor(duration / 1_000) }),
      },
      clientConfig: { ...shared, ...(endpoint !== undefined && { endpoint }) },
    });
  }
}
