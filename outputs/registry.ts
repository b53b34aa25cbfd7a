import type { AnyOutputDefinition } from "../agent/api/plugin.ts";
import cloudwatch from "./cloudwatch/index.ts";
import elasticsearch from "./elasticsearch/index.ts";
import file from "./file/index.ts";
import http from "./http/index.ts";
import s3 from "./s3/index.ts";
import splunkHec from "./splunk-hec/index.ts";
import stdout from "./stdout/index.ts";
import syslog from "./syslog/index.ts";

/** Every output the agent knows. To add one: make its folder, then name it here. */
export const outputs: readonly AnyOutputDefinition[] = [
  cloudwatch,
  elasticsearch,
  file,
  http,
  s3,
  splunkHec,
  stdout,
  syslog,
];
