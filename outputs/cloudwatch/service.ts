/** The requests, on the SDK's client. */
import type {
  CloudWatchLogsClient,
  CloudWatchLogsClientConfig,
  CreateLogGroupCommandInput,
  PutLogEventsCommandOutput,
} from "@aws-sdk/client-cloudwatch-logs";
import type { OutputContext } from "../../agent/api/context.ts";
import { type AwsConnection, awsConnection } from "../shared/aws.ts";
import type { AwsFailure } from "../shared/aws-failure.ts";
import { named } from "../shared/lazy.ts";
import type { RejectedInfo } from "./limits.ts";
import { type CloudwatchOptions, retentionOf } from "./options.ts";
import { Turns } from "./turns.ts";

type Sdk = typeof import("@aws-sdk/client-cloudwatch-logs");

/** Where a request's events belong. */
export interface Place {
  readonly group: string;
  readonly stream: string;
}

interface SdkError {
  readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
}

export class LogService {
  readonly #options: CloudwatchOptions;
  readonly #connection: AwsConnection;
  /** Of groups: what one write makes, another need not. */
  readonly #turns = new Turns();
  /** Groups made here that have not got their retention yet. */
  readonly #bare = new Set<string>();
  #opened: Promise<{ readonly sdk: Sdk; readonly client: CloudWatchLogsClient }> | undefined;

  constructor(options: CloudwatchOptions, context: OutputContext) {
    this.#options = options;
    this.#connection = awsConnection(options, context);
  }

  /**
   * Makes the group and the stream where they are missing and may be made, and tries again. `body` is that of the request. Where making them
   * is not `worth` it at the time of the service's clock: "missing".
   */
  async put(
    place: Place,
    body: Buffer,
    signal: AbortSignal,
    worth: (now: number) => boolean,
  ): Promise<RejectedInfo | undefined | "missing"> {
    try {
      return await this.#put(body, signal);
    } catch (error) {
      if (!is(error, "ResourceNotFoundException") || !this.#options.auto_create) throw error;
      const now = Date.parse((error as SdkError).$response?.headers?.date ?? "");
      if (!Number.isNaN(now) && !worth(now)) return "missing";
    }
    await this.#turns.run(place.group, signal, () => this.#create(place, signal));
    return await this.#put(body, signal);
  }

  /** What an error of `put` means for its events. */
  failure(error: unknown): AwsFailure {
    const failure = this.#connection.failure(error);
    // What is missing and may be made is in the making, or was deleted this very moment; a sequence token is nothing anybody sets up.
    const passes =
      (is(error, "ResourceNotFoundException") && this.#options.auto_create) ||
      is(error, "InvalidSequenceTokenException");
    return passes ? { ...failure, kind: "transient" } : failure;
  }

  async probe(signal: AbortSignal): Promise<void> {
    const { log_group, auto_create } = this.#options;
    const prefix = log_group.replace(/[%$].*$/s, "");
    const [found] = await this.groups(prefix, signal, 1);
    // They come in order of their names, so the group itself is the first that begins with its name.
    if (!auto_create && prefix === log_group && found?.name !== log_group)
      throw new Error(`there is no log group ${log_group}, and \`auto_create\` is off`);
  }

  /** The first groups whose names begin so, and for how many days each keeps its events: undefined is for ever. */
  async groups(prefix: string, signal: AbortSignal, limit = 50): Promise<{ name: string; days: number | undefined }[]> {
    try {
      const { sdk, client } = await this.#open();
      const command = new sdk.DescribeLogGroupsCommand({ ...(prefix && { logGroupNamePrefix: prefix }), limit });
      const { logGroups = [] } = await client.send(command, { abortSignal: signal });
      return logGroups.map(({ logGroupName = "", retentionInDays }) => ({ name: logGroupName, days: retentionInDays }));
    } catch (error) {
      if (signal.aborted) throw error;
      const { reason, code } = this.#connection.failure(error);
      const asked = code === "AccessDeniedException" ? " (the check asks with logs:DescribeLogGroups)" : "";
      throw new Error(`${reason}${asked}`);
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.client.destroy();
    this.#connection.close();
  }

  async #put(body: Buffer, signal: AbortSignal): Promise<RejectedInfo | undefined> {
    try {
      return (await this.#send(body, signal)).rejectedLogEventsInfo;
    } catch (error) {
      // The service gave these two up in 2023; what speaks its protocol may not have.
      if (is(error, "DataAlreadyAcceptedException")) return undefined;
      if (!is(error, "InvalidSequenceTokenException")) throw error;
      const { expectedSequenceToken: token } = error as { expectedSequenceToken?: string };
      if (token === undefined) throw error;
      const head = Buffer.from(`{"sequenceToken":${JSON.stringify(token)},`);
      return (await this.#send(Buffer.concat([head, body.subarray(1)]), signal)).rejectedLogEventsInfo;
    }
  }

  /**
   * The SDK writes strings into JSON character by character. With the body ready made a million entries take this output 3.9 CPU-seconds
   * instead of 6.5.
   */
  async #send(body: Buffer, signal: AbortSignal): Promise<PutLogEventsCommandOutput> {
    const { sdk, client } = await this.#open();
    const command = new sdk.PutLogEventsCommand({
      logGroupName: undefined,
      logStreamName: undefined,
      logEvents: undefined,
    });
    command.middlewareStack.add(
      (next) => (args) => {
        (args.request as { body: unknown }).body = body;
        return next(args);
      },
      // Behind the serializer, before the length and the signature.
      { step: "build", priority: "high", name: "readyBody" },
    );
    return await client.send(command, { abortSignal: signal });
  }

  /** Somebody else may make them at the same moment. */
  async #create({ group, stream }: Place, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const abort = { abortSignal: signal };
    const where = { logGroupName: group, logStreamName: stream };
    const makeStream = () => unlessThere(client.send(new sdk.CreateLogStreamCommand(where), abort));
    const days = retentionOf(this.#options);
    if (!this.#bare.has(group)) {
      try {
        await makeStream();
        return;
      } catch (error) {
        if (!is(error, "ResourceNotFoundException")) throw error;
      }
      const made = await unlessThere(client.send(new sdk.CreateLogGroupCommand(this.#group(group)), abort));
      // A group that was there keeps what its owner has set.
      if (made && days !== undefined) this.#bare.add(group);
    }
    // Before its first stream, so that no event comes into it without; and again until it is set.
    if (this.#bare.has(group)) {
      try {
        await client.send(new sdk.PutRetentionPolicyCommand({ logGroupName: group, retentionInDays: days }), abort);
      } catch (error) {
        if (is(error, "ResourceNotFoundException")) this.#bare.delete(group);
        throw error;
      }
      this.#bare.delete(group);
    }
    await makeStream();
  }

  #group(logGroupName: string): CreateLogGroupCommandInput {
    const { kms_key_id, log_group_class } = this.#options;
    return {
      logGroupName,
      ...(kms_key_id !== undefined && { kmsKeyId: kms_key_id }),
      ...(log_group_class !== "standard" && { logGroupClass: "INFREQUENT_ACCESS" as const }),
    };
  }

  #open(): Promise<{ readonly sdk: Sdk; readonly client: CloudWatchLogsClient }> {
    this.#opened ??= import("@aws-sdk/client-cloudwatch-logs").then(named).then((sdk) => {
      const client = new sdk.CloudWatchLogsClient(this.#connection.config as CloudWatchLogsClientConfig);
      return { sdk, client };
    });
    return this.#opened;
  }
}

function is(error: unknown, name: string): boolean {
  return (error as { name?: unknown } | undefined)?.name === name;
}

async function unlessThere(answer: Promise<unknown>): Promise<boolean> {
  try {
    await answer;
    return true;
  } catch (error) {
    if (is(error, "ResourceAlreadyExistsException")) return false;
    throw error;
  }
}
