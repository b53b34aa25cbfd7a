import { expect, test } from "vitest";
import { discreet } from "./discreet.ts";

test.each([
  [
    "document_parsing_exception: [1:36] failed to parse field [login.count] of type [long] in document with id 'abc-1-'. Preview of field's value: 'hunter2's own'; For input string: \"hunter2's own\"",
    "document_parsing_exception: [1:36] failed to parse field [login.count] of type [long] in document with id abc-1-. Preview of field's value: …",
  ],
  [
    "all 50 records refused: mapper_parsing_exception: failed to parse field [d] of type [date] in document with id 'x-1-'; failed to parse date field [hunter2] with format [strict_date_optional_time||epoch_millis]",
    "all 50 records refused: mapper_parsing_exception: failed to parse field [d] of type [date] in document with id x-1-; failed to parse date field […]",
  ],
  [
    "illegal_argument_exception: Document contains at least one immense term in field=\"s\" (whose UTF8 encoding is longer than the max length 32766). The prefix of the first immense term is: '[104, 117, 110]...'",
    'illegal_argument_exception: Document contains at least one immense term in field="…" (whose UTF8 encoding is longer than the max length 32766). The prefix of the first immense term is: …',
  ],
  [
    "document_parsing_exception: [1:9] failed to parse; Failed to parse value [hunter2] x] as only [true] or [false] are allowed.",
    "document_parsing_exception: [1:9] failed to parse; Failed to parse value […] are allowed.",
  ],
  [
    "mapper_parsing_exception: failed to parse; 'hunter2' is not an IP string literal.",
    "mapper_parsing_exception: failed to parse; '…' is not an IP string literal.",
  ],
  ["json_parse_exception: Unrecognized token 'hunter2': was expecting", "json_parse_exception: Unrecognized token …"],
  [
    "illegal_argument_exception: mapper [n] cannot be changed from type [long] to [text]",
    "illegal_argument_exception: mapper [n] cannot be changed from type [long] to [text]",
  ],
  [
    "illegal_argument_exception: Limit of total fields [1000] has been exceeded while adding new fields [1]",
    "illegal_argument_exception: Limit of total fields [1000] has been exceeded while adding new fields [1]",
  ],
  [
    "InvalidParameterException: 1 validation error detected: Value 'hunter2' at 'logEvents.1.member.message' failed",
    "InvalidParameterException: 1 validation error detected: Value '…' failed",
  ],
  ['HTTP 400 cannot parse {"password":"hunter2"}', 'HTTP 400 cannot parse {"…"}'],
])("%s", (reason, said) => {
  expect(discreet(reason)).toBe(said);
  expect(discreet(said)).toBe(said);
});

test.each([
  "ENOENT: no such file or directory, open '/var/lib/x'",
  "cluster_block_exception: index [audit] blocked by: [FORBIDDEN/8/index write (api)];",
  "HTTP 401 security_exception: unable to authenticate user [elastic] for REST request [/_bulk] (check api_key, username and password, or bearer)",
  "index_not_found_exception: no such index [audit-2026]",
  'no answer within 30000 ms; "timeout" is the option',
])("nothing is taken from what is not about entries: %s", (reason) => {
  expect(discreet(reason)).toBe(reason);
});
