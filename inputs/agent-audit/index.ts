import { z } from "zod";
import { oneOrMore, path } from "../../agent/api/options.ts";
import { defineInput } from "../../agent/api/plugin.ts";
import { checkFileOptions, fileEngineOptions, fileOptions } from "../shared/file-options.ts";
import { FileInput } from "../shared/files/file-input.ts";
import { survey } from "../shared/files/survey.ts";

const LOG = ".loki/logs/agent-audit.jsonl";

export const agentAudit = defineInput({
  name: "agent_audit",
  summary: "Follows the agent-audit log: sessions, commands, commits, approvals and file changes of coding agents.",
  options: z.strictObject({
    path: oneOrMore(
      path("A path or glob; `~` is the home directory."),
      "The agent-audit logs: paths or globs.",
    ).prefault(LOG),
    ...fileOptions,
  }),
  example: { path: LOG },
  notes:
    "Every entry passes as its writer wrote it, in both shapes there are (`details` as the text `k=v,k=v`, or as an object with " +
    "`agent`), actions unknown to this agent too. The log has no hash chain, and several processes write it at once: order in the " +
    "file is not order in time, and two lines may have run into one. Such a line is no JSON object; it is delivered as it stands, " +
    "as `message`, and counted as a parse error.",
  check: (options) => ({ errors: checkFileOptions(options) }),
  look: (options) => survey(fileEngineOptions(options)),
  create: (options, context) => new FileInput(fileEngineOptions(options), context),
});
