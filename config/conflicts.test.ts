/** Parts that get into each other's way, with the plugins there really are. */
import { describe, expect, test } from "vitest";
import { filters } from "../filters/registry.ts";
import { inputs } from "../inputs/registry.ts";
import { outputs } from "../outputs/registry.ts";
import { parseConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";

const ENV = { KEY: "hunter2", SHORT: "hunter2" };

/** Errors, or else warnings, as they are printed, without the file's name. */
function said(text: string): string[] {
  try {
    const { warnings } = parseConfig(text, "/etc/audit/p.yaml", { inputs, filters, outputs }, { env: ENV });
    return warnings.map(({ line, path, message }) => `warning ${line} ${path}: ${message}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
}

const pipeline = (ins: string[], outs: string[], service = "{}") =>
  [`service: ${service}`, "pipeline:", "  inputs:", ...ins.map(item), "  outputs:", ...outs.map(item)].join("\n");
const item = (text: string) => `    - { name: ${text} }`;
const TAIL = "tail, path: /var/log/app/*.jsonl";

describe("service", () => {
  const listening = (listen: string) => said(pipeline(["stdin"], ["stdout"], `{ http: { listen: '${listen}' } }`));
  test("a port that is none", () => {
    expect(listening("0.0.0.0:99999")).toEqual(["1 service.http.listen: the port must be at most 65535"]);
    expect(listening("127.0.0.1:65536")).toHaveLength(1);
  });
  test("open to others needs TLS", () => {
    for (const own of ["127.0.0.1:2020", "localhost:0", "[::1]:65535", "::1:2020", "127.8.9.1:1"]) {
      expect(listening(own)).toEqual([]);
    }
    for (const open of ["0.0.0.0:2020", "[::]:2020", "10.0.0.1:2020", "localhost.example.org:2020", "127.evil.org:1"]) {
      expect(listening(open)).toEqual([expect.stringMatching(/^1 service\.http\.listen: is open to other machines/)]);
    }
  });
});

test("a problem stands where the file has it, whether or not a list is written as one", () => {
  const at = (url: string) => said(pipeline(["stdin"], [`http, url: ${url}`]));
  expect(at("'http://u:p@localhost/'")).toEqual([
    expect.stringMatching(/^6 outputs\[0\]\.url: must not hold credentials/),
  ]);
  expect(at("['http://localhost/', 'http://u:p@localhost/']")).toEqual([
    expect.stringMatching(/^6 outputs\[0\]\.url\[1\]: must not hold credentials/),
  ]);
});

test("no problem shows a regular expression", () => {
  const wrong = said(pipeline(["stdin"], ["syslog, host: a, port: x"], "{ node: '' }"));
  expect(wrong).toEqual([
    "1 service.node: must be 1 to 128 letters, digits, _ . or -",
    "6 outputs[0].port: must be a port, 1 to 65535",
  ]);
});

test("one run tells of everything that can be known", () => {
  const text = `service:
  shutdown_timeout: soon
  http: { listen: 'localhost:70000', prot: 1 }
  queue: { encrypt: true, compresion: zstd, previous_keys: ['\${SHORT}'] }
pipeline:
  inputs:
    - { name: tail, path: /a, pth: x, follow_symlinks: true }
    - { name: stdin, multiline: jsn }
    - { name: stdin }
  outputs:
    - { name: elasticsearch, url: http://localhost:9200, username: u, conccurency: 2 }
    - { name: file, path: /a/%Q.jsonl, batch: { records: 0 } }
    - { name: file, path: /b, encrypt: true, key: '\${UNSET}' }
`;
  expect(said(text)).toEqual([
    "2 service.shutdown_timeout: must be a duration with a unit, such as 500ms, 30s, 10m, 24h or 7d",
    "3 service.http.listen: the port must be at most 65535",
    "3 service.http.prot: unknown option",
    expect.stringMatching(/^4 service\.queue\.encrypt: needs service\.queue\.key/),
    '4 service.queue.compresion: unknown option (did you mean "compression"?)',
    expect.stringMatching(/^4 service\.queue\.previous_keys\[0\]: must be 32 bytes/),
    expect.stringMatching(/^7 inputs\[0\]\.allowed_roots: is needed/),
    '7 inputs[0].pth: unknown option (did you mean "path"?)',
    '8 inputs[1].multiline: must be json (did you mean "json"?)',
    "9 inputs[2]: standard input can be read once, and inputs[1] reads it already",
    expect.stringMatching(/^11 outputs\[0\]\.password: is needed too/),
    '11 outputs[0].conccurency: unknown option (did you mean "concurrency"?)',
    expect.stringMatching(/^12 outputs\[1\]\.path: .*%Q/),
    "12 outputs[1].batch.records: must be at least 1",
    expect.stringMatching(/^13 outputs\[2\]\.key: the environment variable UNSET is not set/),
  ]);
});

test("an input or key that is off, or unread after a syntax error, is no mistake", () => {
  expect(said(pipeline(["stdin", "stdin, alias: b, enabled: false"], ["stdout"]))).toEqual([]);
  expect(said("service:\n  queue:\n    encrypt: true\n    \tkey: x\n")).toEqual([
    "4 : a tab; YAML is indented with spaces only",
  ]);
});

describe("files", () => {
  test("two outputs at one file", () => {
    const both = (a: string, b: string) => said(pipeline([`${TAIL}, tag: t`], [`file, ${a}`, `file, ${b}`]));
    expect(both("path: /x/a.jsonl", "path: /x/y/../a.jsonl, alias: second")).toEqual([
      "7 outputs[1].path: is also the path of outputs[0]: both would append to it",
    ]);
    expect(both("path: /x/a.jsonl", "path: /x/a.jsonl, enabled: false")).toEqual([]);
    expect(both("path: /x/a.jsonl", "path: /x/b.jsonl")).toEqual([]);
    expect(both("path: /x/$TAG.jsonl", "path: /x/$TAG.jsonl, match: 'x*'").join()).not.toContain("both would");
    expect(both("path: /x/$TAG.jsonl", "path: /x/$TAG.jsonl, match: 't*'")).toHaveLength(1);
  });

  test("an output where an input reads", () => {
    const loop = /^warning 6 outputs\[0\]\.path: lies where inputs\[0\] reads/;
    const meets = (input: string, output: string) => said(pipeline([input], [`file, ${output}`]));
    for (const [input, output] of [
      [TAIL, "path: /var/log/app/out.jsonl"],
      [TAIL, "path: /var/log/app/%Y-%m-%d.jsonl"],
      ["tail, path: [/a, /srv/**]", "path: /srv/archive/deep/$TAG.log"],
      ["tail, path: /srv/out-2*-??-??.log", "path: /srv/out-%Y-%m-%d.log"],
      ["agent_audit, path: /srv/a.log", "path: /srv/a.log"],
      ["tail, path: /srv/a.log.*", "path: /srv/a.log, rotate: { size: 1M }"],
    ] as const) {
      expect(meets(input, output)).toEqual([expect.stringMatching(loop)]);
    }
    expect(meets(TAIL, "path: /var/log/app/archive/out.jsonl")).toEqual([]);
    expect(meets("tail, path: /srv/a.log.*", "path: /srv/a.log")).toEqual([]);
    for (const exclude of ["/var/log/app/out*", "out-*", "out-2026.jsonl"]) {
      expect(meets(`${TAIL}, exclude: '${exclude}'`, "path: /var/log/app/out-%Y.jsonl")).toEqual([]);
    }
  });

  test("an input that reads the data directory", () => {
    const reads = (options: string) => said(pipeline([`tail, ${options}`], ["stdout"], "{ data_dir: /srv/data }"));
    const own =
      "warning 4 inputs[0].path: takes in service.data_dir: the agent would ship its own queue or dead letters; exclude it";
    expect(reads("path: '/srv/**'")).toEqual([own]);
    expect(reads("path: '/srv/**/*.jsonl'")).toEqual([own]);
    expect(reads("path: '/srv/**', exclude: '/srv/data/**'")).toEqual([]);
    expect(reads("path: '/srv/*'")).toEqual([]);
  });

  test("an input that leaves out everything it names", () => {
    const input = (options: string) => said(pipeline([`tail, ${options}`], ["stdout"]));
    const nothing = "warning 4 inputs[0].exclude: leaves out everything that path names";
    expect(input("path: /a/b.log, exclude: '/a/*'")).toEqual([nothing]);
    expect(input("path: [/a/b.log, /c], exclude: ['/a/*', /c]")).toEqual([nothing]);
    expect(input("path: /a/b.log, exclude: '*.log'")).toEqual([nothing]);
    expect(input("path: [/a/b.log, /c], exclude: '/a/*'")).toEqual([]);
    expect(input(`path: /a/b.log, exclude: '/${"a".repeat(70_000)}*'`)).toEqual([]);
  });
});

test("a secret sent in the clear", () => {
  const to = (url: string, rest: string) => said(pipeline([TAIL], [`elasticsearch, url: ${url}, ${rest}`]));
  for (const rest of ["api_key: hunter2", "api_key: '${KEY}'", "username: u, password: hunter2"]) {
    expect(to("http://elastic.example.org:9200", rest)).toEqual([
      expect.stringMatching(/^warning 6 outputs\[0\]\.\w+: would cross the network in the clear[^']*$/),
    ]);
    expect(to("[http://localhost, http://10.0.0.1]", rest).join()).not.toContain("hunter2");
    expect(to("https://elastic.example.org:9200", rest)).toEqual([]);
    expect(to("[http://localhost:9200, 'http://[::1]:9200', http://127.0.0.1]", rest)).toEqual([]);
  }
  expect(to("http://elastic.example.org:9200", "compression: gzip")).toEqual([]);
});

test("common options that an output has no use for", () => {
  expect(said(pipeline(["stdin"], ["file, path: /a, batch: { records: 5 }", "stdout, batch: { records: 5 }"]))).toEqual(
    ["warning 6 outputs[0].batch: has no effect on this output, which decides itself how much goes into a write"],
  );
});

test("tags are named once", () => {
  const inputs = [`${TAIL}, tag: app.x`, `tail, path: /b, tag: app.x`, "stdin, tag: zzz"];
  expect(said(pipeline(inputs, ["stdout", "stdout, match: none"]))).toEqual([
    "warning 9 outputs[1]: match fits no tag, so nothing will arrive here; the inputs' tags are app.x, zzz",
  ]);
});
