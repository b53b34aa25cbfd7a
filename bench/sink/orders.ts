/** What the sink is told before a run. */

/** Each destination that the sink stands for. */
export const DESTINATIONS = ["elasticsearch", "splunk", "syslog", "cloudwatch", "s3"] as const;
export type Destination = (typeof DESTINATIONS)[number];

export interface Orders {
  /**
   * `ids`: entries by their record ids (of S3: by their bytes; of CloudWatch: their number alone). `content`: by a hash of what each says
   * (normal.ts), too slow for a run that is timed. `entries`: their number alone, of agents that write no record ids.
   */
  readonly by: "ids" | "content" | "entries";
  /** Answers come so much later; syslog, which has none, is read with such a pause behind each mebibyte. */
  readonly slowMs: number;
  /** Slow destinations; all of them by default. */
  readonly slow?: readonly Destination[];
  /** Every so manieth request is refused as a busy server does it; 0: none. */
  readonly refuseEvery: number;
}

export const PLAIN: Orders = { by: "ids", slowMs: 0, refuseEvery: 0 };
