import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { oneOrMore, optionalDuration, path, type Secret, secret, tlsOptions, url } from "../agent/api/options.ts";
import { defineFilter, defineInput, defineOutput, type Registries } from "../agent/api/plugin.ts";
import { loadConfig, parseConfig } from "./load.ts";
import { ConfigError } from "./problems.ts";

const unused = () => {
  throw new Error("not run here");
};
const registries: Registries = {
  inputs: [
    defineInput({
      name: "tail",
      summary: "Follows files.",
      options: z.strictObject({
        path: oneOrMore(path("Files."), "Files to follow."),
        read_from: z.enum(["beginning", "end"]).default("beginning").meta({ doc: "Where to start." }),
        max_open_files: z.int().min(1).default(64).meta({ doc: "Files." }),
      }),
      example: { path: "/var/log/a.jsonl" },
      create: unused,
    }),
    defineInput({
      name: "agent_audit",
      summary: "Reads the agent's log.",
      options: z.strictObject({ path: path("The log.").default(".loki/logs/agent-audit.jsonl") }),
      example: {},
      create: unused,
    }),
  ],
  filters: [
    defineFilter({
      name: "level",
      summary: "Keeps a level and above.",
      drops: true,
      options: z.strictObject({ min: z.enum(["debug", "info", "warning", "error"]).default("info") }),
      example: {},
      create: unused,
    }),
    defineFilter({
      name: "chain",
      summary: "Verifies.",
      drops: false,
      options: z.strictObject({}),
      example: {},
      create: unused,
    }),
    defineFilter({
      name: "metadata",
      summary: "Adds.",
      drops: false,
      options: z.strictObject({ add: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])) }),
      example: { add: {} },
      create: unused,
    }),
  ],
  outputs: [
    defineOutput({
      name: "http",
      summary: "Posts.",
      options: z.strictObject({
        url: url("Where to."),
        port: z.int().min(1).max(65535).optional(),
        token: secret("Token.").optional(),
        gzip: z.boolean().default(false),
        wait: optionalDuration("Wait."),
        tls: tlsOptions.optional(),
        header: z.union([z.string(), z.strictObject({ name: z.string(), value: secret("Value.") })]).optional(),
      }),
      limits: { records: 1, bytes: 1, overhead: 0 },
      guarantee: () => "at-least-once",
      check: (options) => ({
        errors: options.gzip && options.port === 1 ? [{ path: ["gzip"], message: "not on port 1" }] : [],
        warnings: options.port === 2 ? [{ path: ["port"], message: "odd port" }] : [],
      }),
      example: { url: "http://x" },
      create: unused,
    }),
  ],
};

const load = (text: string, env: Record<string, string> = {}) =>
  parseConfig(text, "/etc/audit/pipeline.yaml", registries, { env });
const problemsOf = (text: string, env: Record<string, string> = {}): string[] => {
  try {
    load(text, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n").map((line) => line.replace("/etc/audit/", ""));
  }
  return [];
};
const INPUT = "pipeline:\n  inputs: [{ name: tail, path: a }]\n";
const withOutput = (options: string) => `${INPUT}  outputs:\n    - name: http\n${options.replace(/^/gm, "      ")}\n`;

const scratch = mkdtempSync(join(tmpdir(), "config-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

describe("a right configuration", () => {
  test("aliases, tags, matches and defaults", () => {
    const { config, warnings } = load(`
service: { data_dir: data, log_level: warn }
pipeline:
  inputs:
    - { name: tail, path: [a/*.jsonl, ~/b], tag: audit.dashboard }
    - { name: tail, path: c, enabled: false }
    - { name: tail, path: /d }
    - name: agent_audit
  filters:
    - { name: level, match: 'audit.*' }
  outputs:
    - { name: http, url: 'http://u:p@h/x?y=z', match: ['audit.*', '*-3'], batch: { records: 5 }, timeout: 3s }
    - { name: http, alias: second, url: http://h }
`);
    expect(config.file).toBe("/etc/audit/pipeline.yaml");
    expect(config.service).toMatchObject({ data_dir: "/etc/audit/data", log_level: "warn", shutdown_timeout: 10_000 });
    expect(config.inputs.map((i) => [i.alias, i.tag])).toEqual([
      ["tail", "audit.dashboard"],
      ["tail-3", "tail-3"],
      ["agent_audit", "agent_audit"],
    ]);
    expect(config.inputs[0]!.options.path).toEqual(["/etc/audit/a/*.jsonl", join(homedir(), "b")]);
    expect(config.inputs[2]!.options.path).toBe("/etc/audit/.loki/logs/agent-audit.jsonl");
    expect(config.filters[0]!.match).toEqual(["audit.*"]);
    expect(config.outputs.map((o) => [o.alias, o.match])).toEqual([
      ["http", ["audit.*", "*-3"]],
      ["second", ["*"]],
    ]);
    expect(config.outputs[0]!.common).toMatchObject({
      batch: { records: 5 },
      timeout: 3_000,
      queue: { on_full: "block" },
    });
    expect(config.outputs[0]!.options).not.toHaveProperty("batch");
    expect(warnings).toEqual([]);
  });

  test("places show absolute paths, and URLs without their secrets", () => {
    const { places } = load(withOutput("url: http://u:p@h/x?token=z"));
    expect(places.get("inputs.tail")).toEqual([{ option: "path", value: "/etc/audit/a" }]);
    expect(places.get("outputs.http")).toEqual([{ option: "url", value: "http://h/x" }]);
    expect(places.get("service")).toEqual([{ option: "data_dir", value: "/var/lib/audit-agent" }]);
  });

  test("anchors, aliases, merge keys, CRLF and a byte order mark", () => {
    const text = `\u{feff}${INPUT}  outputs:
    - &base { name: http, url: http://h, gzip: true }
    - { <<: *base, alias: second, gzip: false }
    - *base
`.replaceAll("\n", "\r\n");
    const file = join(scratch, "bom.yaml");
    writeFileSync(file, text);
    const { config } = loadConfig(file, registries);
    expect(config.outputs.map((o) => [o.alias, o.options.gzip])).toEqual([
      ["http", true],
      ["second", false],
      ["http-2", true],
    ]);
  });

  test("text from variables becomes the number or boolean that the option wants", () => {
    const text = withOutput(
      "url: '${URL}'\nport: '${PORT:-514}'\ngzip: ${GZIP:-true}\nconcurrency: '${N}'\nenabled: '${URL:+true}'",
    );
    const { config } = load(text, { URL: "http://h", N: "3" });
    expect(config.outputs[0]!.options).toMatchObject({ url: "http://h", port: 514, gzip: true });
    expect(config.outputs[0]!.common.concurrency).toBe(3);
    expect(problemsOf(text, { URL: "http://h", N: "0", PORT: "70000", GZIP: "yes" })).toEqual([
      "pipeline.yaml:6:7  outputs[0].port: must be at most 65535",
      "pipeline.yaml:7:7  outputs[0].gzip: must be true or false, not text",
      "pipeline.yaml:8:7  outputs[0].concurrency: must be at least 1",
    ]);
  });

  test("a part that is off is not asked for variables, and keeps its alias", () => {
    const off = `    - { name: http, enabled: '\${HOST:+true}', url: 'http://\${HOST}', port: '\${PORT}' }\n`;
    const on = "    - { name: http, url: http://h }\n";
    expect(load(`${INPUT}  outputs:\n${off}${on}`).config.outputs.map((o) => o.alias)).toEqual(["http-2"]);
    expect(load(`${INPUT}  outputs:\n${off}${on}`, { HOST: "h", PORT: "1" }).config.outputs).toHaveLength(2);
    expect(problemsOf(`${INPUT}  outputs:\n${off}`)).toEqual(["pipeline.yaml:3:3  outputs: every output is disabled"]);
    expect(problemsOf(`${INPUT}  outputs:\n${off.replace("port:", "prot:")}${on}`)).toEqual([
      'pipeline.yaml:4:70  outputs[0].prot: unknown option (did you mean "port"?)',
    ]);
    expect(problemsOf(`${INPUT}  outputs:\n    - { name: http, url: http://h, enabled: '\${NOPE}' }\n`)[0]).toMatch(
      "NOPE is not set",
    );
  });
});

describe("secrets", () => {
  test("a file is read again at each reveal, and nothing prints it", () => {
    const file = join(scratch, "token");
    writeFileSync(file, "first\n");
    const { config } = load(withOutput(`url: http://h\ntoken: '\${file:${file}}'`));
    const token = config.outputs[0]!.options.token as Secret;
    expect(token.reveal()).toBe("first");
    writeFileSync(file, "second");
    expect(token.reveal()).toBe("second");
    expect(JSON.stringify(config)).not.toContain("second");
    rmSync(file);
    expect(() => token.reveal()).toThrow(`the file ${file} does not exist`);
  });

  test("a relative file lies beside the configuration; its name may hold a variable", () => {
    mkdirSync(join(scratch, "creds"), { recursive: true });
    writeFileSync(join(scratch, "creds", "t"), "T\r\n");
    const at = join(scratch, "pipeline.yaml");
    const { config } = parseConfig(
      withOutput("url: http://h\ntoken: 'Bearer ${file:${DIR:-creds}/t}'"),
      at,
      registries,
      { env: {} },
    );
    expect((config.outputs[0]!.options.token as Secret).reveal()).toBe("Bearer T");
    const whole = parseConfig(withOutput("url: http://h\ntoken: '${file:creds/t}'"), at, registries, { env: {} });
    expect((whole.config.outputs[0]!.options.token as Secret).reveal()).toBe("T");
  });

  test("no problem repeats what came from outside, nor any secret", () => {
    const env = { S: "hunter2" };
    const text = `
service: { log_level: '\${S}', shutdown_timeout: '\${S}', queue: { encrypt: true, key: 'hunter2' }, node: '\${S} \${S}', http: { listen: '\${S}' } }
pipeline:
  inputs: [{ name: '\${S}', path: x }, { name: tail, path: 5, tag: '\${S} x' }, '\${S}', '\${S:?hunter? \${S}}']
  outputs:
    - { name: http, url: '\${S}', port: '\${S}', token: { hunter2: 1 }, gzip: 'hunter2', alias: '@\${S}', header: ['\${S}'], wait: '\${S}' }
`;
    const problems = problemsOf(text, env);
    expect(problems.length).toBeGreaterThan(12);
    // The one key that is not known is quoted as a key; no value is.
    expect(problems.filter((p) => p.includes("hunter2"))).toEqual([]);
    expect(problemsOf("pipeline:\n  a: [hunter2\n b: 'hunter2\n").join()).not.toContain("hunter2");
  });

  test("encryption needs a key of 32 bytes", () => {
    const withQueue = (queue: string) => `service: { queue: ${queue} }\n${withOutput("url: http://h")}`;
    expect(problemsOf(withQueue("{ encrypt: true }"))[0]).toMatch(
      /^pipeline.yaml:1:21 {2}service.queue.encrypt: needs service.queue.key: 32 bytes .*\$\{file:\/run\/secrets\/audit-agent-key\}/,
    );
    expect(problemsOf(withQueue("{ encrypt: true, key: short, previous_keys: [x] }"))).toHaveLength(2);
    const base64 = Buffer.alloc(32, 7).toString("base64");
    for (const key of [base64, base64.slice(0, -1), "ab".repeat(32)]) {
      expect(problemsOf(withQueue(`{ encrypt: true, key: '${key}' }`))).toEqual([]);
    }
    expect(problemsOf(withQueue(`{ encrypt: true, key: '${"a".repeat(43)}$$' }`))).toHaveLength(1);
  });
});

describe("mistakes", () => {
  test("all at once, each with its place and a suggestion", () => {
    const text = `services: {}
pipeline:
  inputs:
    - { name: tial, path: x }
    - name: tail
      pth: x
  filters:
    - { name: level, min: wraning }
    - { name: http }
  outputs:
    - name: http
      alias: a b
      url: nowhere
      tokn: x
      batch: { recrods: 1 }
      tls: { verify: maybe, ca: 5 }
    - { name: http, url: http://h, alias: one }
    - { name: http, url: http://h, alias: ONE, queue: { on_full: drop } }
    - name: http
`;
    expect(problemsOf(text)).toEqual([
      'pipeline.yaml:1:1  services: unknown option (did you mean "service"?)',
      'pipeline.yaml:4:9  inputs[0].name: no input is called "tial" (did you mean "tail"?)',
      "pipeline.yaml:5:7  inputs[1].path: is required",
      'pipeline.yaml:6:7  inputs[1].pth: unknown option (did you mean "path"?)',
      'pipeline.yaml:8:22  filters[0].min: must be one of debug, info, warning, error (did you mean "warning"?)',
      'pipeline.yaml:9:9  filters[1].name: no filter is called "http" (it is an output)',
      "pipeline.yaml:12:7  outputs[0].alias: must be 1 to 64 letters, digits, _ . or - and not begin with . or -",
      "pipeline.yaml:13:7  outputs[0].url: must be an http or https URL",
      'pipeline.yaml:14:7  outputs[0].tokn: unknown option (did you mean "token"?)',
      'pipeline.yaml:15:16  outputs[0].batch.recrods: unknown option (did you mean "records"?)',
      "pipeline.yaml:16:14  outputs[0].tls.verify: must be true or false, not text",
      "pipeline.yaml:16:29  outputs[0].tls.ca: must be text, not a number: put it in quotes",
      "pipeline.yaml:18:36  outputs[2].alias: is also the alias of outputs[1]",
      "pipeline.yaml:18:57  outputs[2].queue.on_full: must be one of block, drop_oldest",
      "pipeline.yaml:19:7  outputs[3].url: is required",
    ]);
  });

  test("plain ones", () => {
    const one = (text: string, env = {}) => problemsOf(text, env).join("\n");
    expect(one("")).toBe("pipeline.yaml: is empty");
    expect(one("# nothing\n")).toBe("pipeline.yaml: is empty");
    expect(one("- a")).toMatch("is not a map");
    expect(one("just text")).toMatch("is not a map");
    expect(one("{}")).toMatch("inputs: needs at least one input");
    expect(one("{}")).toMatch("outputs: needs at least one output");
    expect(one("inputs: []")).toMatch("1:1  inputs: unknown option here (it belongs under `pipeline:`)");
    expect(one("pipeline: 5")).toMatch("pipeline: must be a map");
    expect(one(`service:\n${withOutput("url: http://h")}`)).toBe("");
    expect(one(`service: 5\n${withOutput("url: http://h")}`)).toMatch("service: must be a map, not a number");
    expect(one(`service: { http: }\n${withOutput("url: http://h")}`)).toMatch(
      "service.http: has no value; it must be a map",
    );
    expect(one(`${withOutput("url: http://h")}---\na: 1`)).toMatch("a second document starts here");
    expect(one(withOutput("url: http://h\nurl: http://i"))).toBe(
      "pipeline.yaml:6:7  outputs[0].url: given twice (first in line 5)",
    );
    expect(one(withOutput("url: !env X"))).toMatch("a YAML tag (!…) that means nothing here");
    expect(one(withOutput("url: http://h\n__proto__: { gzip: true }"))).toMatch("a key must be a plain word");
    expect(one(withOutput("url: http://h\nenabled: yes"))).toMatch("must be true or false");
    expect(one(withOutput("url: http://h\nheader: { name: x, valu: y }"))).toBe(
      'pipeline.yaml:6:7  outputs[0].header.value: is required\npipeline.yaml:6:26  outputs[0].header.valu: unknown option (did you mean "value"?)',
    );
    expect(one(withOutput("url: http://h\nport: 1\ngzip: true"))).toBe(
      "pipeline.yaml:7:7  outputs[0].gzip: not on port 1",
    );
    expect(one(`${INPUT}  outputs: { name: http }`)).toMatch("outputs: must be a list");
  });

  test("syntax: with its place, beside what is wrong above it", () => {
    expect(problemsOf("services: {}\npipeline:\n\tinputs: []\n")).toEqual([
      'pipeline.yaml:1:1  services: unknown option (did you mean "service"?)',
      "pipeline.yaml:3:1  a tab; YAML is indented with spaces only",
    ]);
    expect(problemsOf(`${INPUT}  outputs: [{ name: http, port: \${PORT} }]`)).toEqual([
      "pipeline.yaml:3:34  not valid YAML here: between { } or [ ] a value with ${…} needs quotes: '${NAME}'",
    ]);
    expect(problemsOf("a: 'x").join()).toMatch("closing quote");
  });

  test("references that are not closed, unknown or not set name the place", () => {
    const url = (value: string, env = {}) => problemsOf(withOutput(`url: '${value}'`), env);
    expect(url("http://${HOST}")).toEqual([
      "pipeline.yaml:5:7  outputs[0].url: the environment variable HOST is not set (${HOST:-default} gives it a default)",
    ]);
    expect(url("${HOST:?say where}", { HOST: "" })).toEqual(["pipeline.yaml:5:7  outputs[0].url: ${HOST}: say where"]);
    expect(url("http://${HOST")[0]).toMatch("never closed");
    expect(url("${}")[0]).toMatch("the name of a variable");
    expect(url("${A-b}")[0]).toMatch("is not understood");
    expect(url("${file:/nowhere/at/all}")[0]).toMatch("the file /nowhere/at/all does not exist");
    expect(url("${toString}")[0]).toMatch("toString is not set");
  });

  test("aliases that repeat or contain themselves end", () => {
    const laughs = ["a: &a [x,x,x,x,x,x,x,x,x]"];
    for (const [i, c] of [..."bcdefgh"].entries()) laughs.push(`${c}: &${c} [${Array(9).fill(`*${"abcdefg"[i]}`)}]`);
    expect(problemsOf(laughs.join("\n")).join()).toMatch("nested too deep or repeats itself too often");
    expect(problemsOf("pipeline: &p { inputs: *p }").join()).toMatch("contains itself");
    expect(problemsOf("pipeline: &p { <<: *p }").join()).toMatch("merges maps only");
    expect(problemsOf(`pipeline: ${"[".repeat(500)}`).length).toBeGreaterThan(0);
  });
});

describe("files that are none", () => {
  const messageOf = (file: string) => {
    try {
      loadConfig(file, registries);
      return "";
    } catch (error) {
      return (error as ConfigError).message;
    }
  };
  test.each([
    ["missing", undefined, /does not exist/],
    ["empty", "", /is empty/],
    ["binary", Buffer.from([0x7f, 0x45, 0, 1]), /is not text/],
    ["latin1", Buffer.from("# caf\xe9\n", "latin1"), /not text in UTF-8/],
    ["huge", Buffer.alloc(10_000_000, "# x\n"), /is longer than 1024 KiB/],
  ])("%s", (name, content, expected) => {
    const file = join(scratch, name);
    if (content !== undefined) writeFileSync(file, content);
    expect(messageOf(file)).toMatch(expected);
    expect(messageOf(file)).toMatch(file);
  });
  test("a directory, an endless one, one that may not be read", () => {
    expect(messageOf(scratch)).toMatch("is a directory");
    expect(messageOf("/dev/zero")).toMatch("is longer than");
    const file = join(scratch, "forbidden");
    writeFileSync(file, "");
    chmodSync(file, 0);
    expect(messageOf(file)).toMatch(process.getuid?.() === 0 ? "is empty" : "permission denied");
  });
});

describe("warnings", () => {
  const warningsOf = (text: string) => load(text).warnings.map((w) => `${w.line} ${w.path}: ${w.message}`);
  test("patterns that fit no tag, tags that nobody takes, checks of the plugin", () => {
    expect(
      warningsOf(`pipeline:
  inputs: [{ name: tail, path: a, tag: t }, { name: tail, path: b, tag: lonely }]
  filters: [{ name: level, match: x.* }]
  outputs:
    - { name: http, url: http://h, match: t, port: 2 }
    - { name: http, url: http://h, match: [nobody] }
`),
    ).toEqual([
      "2 inputs[1]: no output takes the tag lonely: what it reads goes nowhere",
      "3 filters[0]: match fits no tag; the inputs' tags are t, lonely",
      "5 outputs[0].port: odd port",
      "6 outputs[1]: match fits no tag, so nothing will arrive here; the inputs' tags are t, lonely",
    ]);
  });
  test("a filter that drops before chain, where they meet", () => {
    const text = (level: string) => `${INPUT}  filters:
    - { name: level, match: '${level}' }
    - { name: chain }
    - { name: level }
  outputs: [{ name: http, url: http://h }]
`;
    expect(warningsOf(text("*"))).toEqual([
      "4 filters[0]: may drop entries before chain has verified their chain, which will then look broken: put chain first",
    ]);
    expect(warningsOf(text("other"))).toHaveLength(1);
    expect(warningsOf(text("other"))[0]).toMatch("fits no tag");
  });
});
