import { z } from "zod";
import { oneOrMore, path } from "../../agent/api/options.ts";
import { defineInput } from "../../agent/api/plugin.ts";
import { checkFileOptions, fileEngineOptions, fileOptions } from "../shared/file-options.ts";
import { FileInput } from "../shared/files/file-input.ts";
import { survey } from "../shared/files/survey.ts";
import { parserOption } from "../shared/parse/options.ts";

export const tail = defineInput({
  name: "tail",
  summary: "Follows files as they grow, through rotation, truncation and deletion.",
  options: z.strictObject({
    path: oneOrMore(path("A path or glob; `~` is the home directory."), "The files to follow: paths or globs."),
    ...parserOption,
    ...fileOptions,
  }),
  example: { path: "/var/log/app/audit-*.jsonl" },
  notes:
    "Files whose name ends in `.gz` are read decompressed; no other compression is known (leave such files out with `exclude`). Lines " +
    "of white space alone are skipped and not counted.\n\n" +
    "Files of one group are read one after the other: by modification time, in doubt by the first entry's own time, then by name. Only " +
    "the newest is live; another is finished at its end once it is unchanged for `rotate_wait`. A file is known by its first line, its " +
    "inode and the bytes before the saved position: renamed, copied or compressed it goes on where it was; another file in its place " +
    "is read from its beginning. A file that is deleted is read to its end, because it is held open.\n\n" +
    "Emptying a file in place (`copytruncate`) loses what is written between the copy and the cut; prefer rotation by renaming. A file " +
    "of the same group, named as an older one, that begins with the same entry (with its time) and holds no more than its original is a " +
    "copy: the original is read; when that is emptied the copy goes on where it was, and what the agent had read before is not sent again. " +
    "How much of an emptied file was lost can only be told from the size that was seen last. A copy in another group (`audit.log.bak`), " +
    "or of entries without a time, is a file of its own once it is unchanged for ten times `rotate_wait`: leave it out with `exclude`. So " +
    "is a copy where two rotations followed each other unseen, or one came while the agent was down.",
  check: (options) => ({ errors: checkFileOptions(options) }),
  look: (options) => survey(fileEngineOptions(options)),
  create: (options, context) => new FileInput(fileEngineOptions(options), context),
});
