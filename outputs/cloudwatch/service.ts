/** The requests, on the SDK's client. */
import type { CloudWatchLogsClient, CloudWatchLogsClientConfig, InputLogEvent } from "@aws-sdk/client-cloudwatch-logs";
import type { OutputContext } from "../../agent/api/context.ts";
import { type AwsConnection, awsConnection } from "../shared/aws.ts";
import { named } from "../shared/lazy.ts";
import type { RejectedInfo } from "./limits.ts";
import { type CloudwatchOptions, retentionOf } from "./options.ts";

type Sdk = typeof import("@aws-sdk/client-cloudwatch-logs");

export class LogService {
  readonly connection: AwsConnection;
  readonly #options: CloudwatchOptions;
  #opened: Promise<{ readonly sdk: Sdk; readonly client: CloudWatchLogsClient }> | undefined;

  constructor(options: CloudwatchOptions, context: OutputContext) {
    this.#options = options;
    this.connection = awsConnection(options, context);
  }

  /** Makes the group and the stream where they are missing and may be made, and tries again. */
  async put(
    group: string,
    stream: string,
    events: InputLogEvent[],
    signal: AbortSignal,
  ): Promise<RejectedInfo | undefined> {
    const { sdk, client } = await this.#open();
    const command = () =>
      new sdk.PutLogEventsCommand({ logGroupName: group, logStreamName: stream, logEvents: events });
    try {
      return (await client.send(command(), { abortSignal: signal })).rejectedLogEventsInfo;
    } catch (error) {
      if (!is(error, "ResourceNotFoundException") || !this.#options.auto_create) throw error;
    }
    await this.#create(group, stream, signal);
    return (await client.send(command(), { abortSignal: signal })).rejectedLogEventsInfo;
  }

  async probe(prefix: string, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    await client.send(new sdk.DescribeLogGroupsCommand({ logGroupNamePrefix: prefix, limit: 1 }), {
      abortSignal: signal,
    });
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    (await opened?.catch(() => undefined))?.client.destroy();
    this.connection.close();
  }

  /** Somebody else may make them at the same moment. */
  async #create(group: string, stream: string, signal: AbortSignal): Promise<void> {
    const { sdk, client } = await this.#open();
    const abort = { abortSignal: signal };
    const where = { logGroupName: group, logStreamName: stream };
    try {
      await client.send(new sdk.CreateLogStreamCommand(where), abort);
      return;
    } catch (error) {
      if (is(error, "ResourceAlreadyExistsException")) return;
      if (!is(error, "ResourceNotFoundException")) throw error;
    }
    const made = await unlessThere(client.send(new sdk.CreateLogGroupCommand({ logGroupName: group }), abort));
    const days = retentionOf(this.#options);
    // A group that was there keeps what its owner has set.
    if (made && days !== undefined) {
      await client.send(new sdk.PutRetentionPolicyCommand({ logGroupName: group, retentionInDays: days }), abort);
    }
    await unlessThere(client.send(new sdk.CreateLogStreamCommand(where), abort));
  }

  #open(): Promise<{ readonly sdk: Sdk; readonly client: CloudWatchLogsClient }> {
    this.#opened ??= import("@aws-sdk/client-cloudwatch-logs").then(named).then((sdk) => ({
      sdk,
      client: new sdk.CloudWatchLogsClient(this.connection.config as CloudWatchLogsClientConfig),
    }));
    return this.#opened;
  }
}

export function is(error: unknown, name: string): boolean {
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
