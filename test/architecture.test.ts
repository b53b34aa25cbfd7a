/** Which folder may import what, and what only one place may do. The table is the design's; the reasons stand beside the rules. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const SOURCE = ["agent", "config", "inputs", "filters", "outputs"];
const KINDS = ["inputs", "filters", "outputs"];

interface SourceFile {
  /** Relative to the project, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** What it imports: project paths for our own files, package names for the others. */
  readonly imports: readonly string[];
}

const files = [...SOURCE, "web", "test", "bench", "scripts"].flatMap(sourceFiles);
/** What the agent can reach; beside it lie tests and what only tests import. */
const production = reachable("agent/main.ts");
/** What runs in the browser. */
const page = files.filter(({ path }) => path.startsWith("web/src/") && !path.endsWith(".test.ts"));

function reachable(entry: string): SourceFile[] {
  const found = new Map<string, SourceFile>();
  const visit = (path: string) => {
    const file = files.find((each) => each.path === path);
    if (!file || found.has(path)) return;
    found.set(path, file);
    file.imports.forEach(visit);
  };
  visit(entry);
  return [...found.values()];
}

function sourceFiles(folder: string): SourceFile[] {
  let names: string[];
  try {
    names = readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" });
  } catch {
    return [];
  }
  return names
    .map((name) => `${folder}/${name}`)
    .filter((path) => /\.tsx?$/.test(path) && !path.startsWith("test/corpora/"))
    .map((path) => {
      const text = readFileSync(join(ROOT, path), "utf8");
      return { path, text, imports: importsOf(path, text) };
    });
}

/** Static and dynamic imports and re-exports, types included: a type is a dependency of the design too. */
function importsOf(path: string, text: string): string[] {
  const from = /^\s*(?:import|export)\b[^;"'`]*?from\s*"([^"]+)"|^\s*import\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;
  return [...text.matchAll(from)].map(([, a, b, c]) => {
    const specifier = (a ?? b ?? c)!;
    return specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier;
  });
}

const isPlugin = (path: string) => {
  const [kind, folder, rest] = path.split("/");
  return KINDS.includes(kind!) && folder !== "shared" && rest !== undefined;
};

/** The prefixes of project paths that a file may import. */
function allowed(path: string): string[] {
  const [top, folder] = path.split("/") as [string, string];
  if (path.startsWith("agent/api/")) return ["agent/api/", "agent/json/"];
  if (path.startsWith("agent/json/")) return ["agent/api/", "agent/json/"];
  if (path.startsWith("agent/integrity/offline/")) {
    // Which files are one log, and in which order: the same answer as where they are read.
    return ["agent/api/", "agent/json/", "agent/integrity/", "inputs/shared/files/group.ts"];
  }
  if (path.startsWith("agent/integrity/")) return ["agent/api/", "agent/json/", "agent/integrity/"];
  if (path.startsWith("agent/state/")) return ["agent/api/", "agent/state/"];
  if (path.startsWith("agent/checksums/")) return ["agent/state/", "agent/checksums/"];
  if (path.startsWith("agent/telemetry/")) return ["agent/api/", "agent/telemetry/"];
  if (path.startsWith("agent/queue/")) return ["agent/api/", "agent/state/", "agent/queue/"];
  if (path.startsWith("agent/pipeline/")) {
    return ["api", "json", "pipeline", "queue", "state", "telemetry"].map((part) => `agent/${part}/`);
  }
  if (path.startsWith("agent/control/")) {
    return [...["api", "control", "pipeline", "queue", "telemetry"].map((part) => `agent/${part}/`), "config/"];
  }
  if (path.startsWith("agent/http/")) {
    return ["api", "control", "http", "json", "state"].map((part) => `agent/${part}/`);
  }
  if (path.startsWith("agent/")) return ["agent/", "config/", ...KINDS.map((kind) => `${kind}/`), "package.json"];
  if (top === "config") return ["agent/api/", "config/"];
  if (path === `${top}/registry.ts`) return [`${top}/`, "agent/api/"];
  // A plugin: the contract, the bytes, its own folder and what its kind shares. Never a sibling, never the engine.
  const hashChains = path.startsWith("filters/") ? ["agent/integrity/"] : [];
  return ["agent/api/", "agent/json/", ...hashChains, `${top}/${folder}/`, `${top}/shared/`];
}

test("there are sources to look at", () => {
  expect(production.length).toBeGreaterThan(10);
  expect(production.some(({ imports }) => imports.length > 0)).toBe(true);
});

test("no file imports what its folder may not", () => {
  const wrong: string[] = [];
  for (const { path, imports } of production) {
    const may = allowed(path);
    for (const target of imports.filter((to) => SOURCE.some((top) => to.startsWith(`${top}/`)))) {
      if (!may.some((prefix) => target.startsWith(prefix))) wrong.push(`${path} → ${target}`);
    }
  }
  expect(wrong).toEqual([]);
});

test("production code imports no test code, and only agent/commands and agent/main.ts are above the plugins", () => {
  const wrong: string[] = [];
  for (const { path, imports } of production) {
    for (const target of imports) {
      if (/^(test|bench|scripts)\//.test(target) || target.endsWith(".test.ts")) {
        wrong.push(`${path} → ${target}`);
      }
      if (/^(inputs|filters|outputs)\/registry\.ts$/.test(target) && path !== "agent/main.ts") {
        wrong.push(`${path} names a registry; only agent/main.ts does`);
      }
    }
  }
  expect(wrong).toEqual([]);
});

test("agent/api imports zod and nothing else, agent/json only Node", () => {
  const wrong = production
    .filter(({ path }) => /^agent\/(api|json)\//.test(path))
    .flatMap(({ path, imports }) => imports.map((target) => ({ path, target })))
    .filter(({ target }) => !target.startsWith("node:") && !target.startsWith("agent/"))
    .filter(({ path, target }) => !(path.startsWith("agent/api/") && target === "zod"));
  expect(wrong).toEqual([]);
});

test("own files are imported with .ts, Node's modules with node:", () => {
  const bare = new Set(builtinModules.filter((name) => !name.startsWith("node:")));
  const wrong: string[] = [];
  for (const { path, imports, text } of files) {
    for (const target of imports) if (bare.has(target)) wrong.push(`${path}: "${target}" without node:`);
    for (const [, target] of text.matchAll(/from\s+"(\.[^"]+)"/g)) {
      if (!/\.(tsx?|json|js)$/.test(target!)) wrong.push(`${path}: "${target}" without its ending`);
    }
  }
  expect(wrong).toEqual([]);
});

test("every library that is imported is declared (npm run unused tells of the others)", () => {
  const about = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
    dependencies?: Record<string, string>;
    devDependencies?: Record<string, string>;
  };
  const nameOf = (specifier: string) => /^(@[^/]+\/)?[^/]+/.exec(specifier)![0];
  const used = new Set(
    production
      .flatMap(({ imports }) => imports)
      .filter(
        (to) =>
          !to.startsWith("node:") && !SOURCE.some((top) => to.startsWith(`${top}/`)) && !to.startsWith("package.json"),
      )
      .map(nameOf),
  );
  const declared = new Set([...Object.keys(about.dependencies ?? {}), ...Object.keys(about.devDependencies ?? {})]);
  expect([...used].filter((name) => !declared.has(name))).toEqual([]);
});

for (const kind of KINDS) {
  test(`${kind}/registry.ts names every folder of ${kind}/, and each plugin has the name of its folder`, async () => {
    const folders = readdirSync(join(ROOT, kind)).filter(
      (name) => name !== "shared" && statSync(join(ROOT, kind, name)).isDirectory(),
    );
    const module = (await import(join(ROOT, kind, "registry.ts"))) as Record<
      string,
      readonly { name: string; kind: string }[]
    >;
    const plugins = module[kind]!;
    expect(plugins.map(({ name }) => name.replaceAll("_", "-")).sort()).toEqual(folders.sort());
    expect(new Set(plugins.map((plugin) => `${plugin.kind}s`))).toEqual(new Set([kind]));
  });
}

/** What may be called only at home: the pattern, where its home is, and what to use elsewhere. */
const BANS: readonly { what: RegExp; home: RegExp; instead: string }[] = [
  { what: /\bDate\.now\(|\bnew Date\(\)/, home: /^agent\/api\/clock\.ts$/, instead: "the injected clock" },
  { what: /\bconsole\./, home: /^$/, instead: "an event (emit)" },
  { what: /\bsetInterval\(/, home: /^$/, instead: "a chain of setTimeout, cleared on close" },
  {
    what: /(?<![.\w])fetch\(/,
    home: /^outputs\/shared\/http\.ts$/,
    instead: "outputs/shared/http.ts: time-outs, TLS, secrets",
  },
  {
    what: /\bMath\.random\(/,
    home: /^agent\/pipeline\/backoff\.ts$/,
    instead: "an injected source, so that a failure repeats",
  },
  {
    what: /\bJSON\.parse\(/,
    // Its own state is no log.
    home: /^(?!filters\/chain\/(?!state\.ts$))/,
    instead: "the bytes: 1.0 is not 1, and 2^53 + 1 is not 2^53",
  },
  { what: /@ts-(ignore|expect-error|nocheck)/, home: /^$/, instead: "a type that is right" },
  {
    what: /\b(writeFileSync|appendFileSync)\(/,
    home: /^agent\/(state|commands)\//,
    instead: "agent/state: what it writes survives a kill",
  },
];

test.each(BANS)("$what only at home; elsewhere $instead", ({ what, home }) => {
  const wrong = production.filter(({ path, text }) => !home.test(path) && what.test(withoutComments(text)));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
}

test("the page imports its own files, preact and uPlot; of the agent the types of its interface alone", () => {
  const wrong: string[] = [];
  for (const { path, text, imports } of page) {
    for (const target of imports) {
      if (target.startsWith("web/src/") || /^(preact(\/hooks)?|uplot)$/.test(target)) continue;
      const name = target.slice(target.lastIndexOf("/") + 1);
      const types = new RegExp(`import type [^;]*/${name}"`).test(text);
      if (!target.startsWith("agent/api/") || !types) wrong.push(`${path} → ${target}`);
    }
  }
  expect(page.length).toBeGreaterThan(10);
  expect(wrong).toEqual([]);
});

/** As BANS, for what runs in the browser. */
const PAGE_BANS: readonly { what: RegExp; home: RegExp; instead: string }[] = [
  {
    what: /dangerouslySetInnerHTML|\.(inner|outer)HTML|insertAdjacentHTML|document\.write/,
    home: /^$/,
    instead: "text: entries are written by whoever is audited",
  },
  { what: /\beval\(|new Function\(|\bstyle=/, home: /^$/, instead: "what the content security policy allows" },
  {
    what: /(?<![.\w])fetch\(|EventSource|XMLHttpRequest/,
    home: /^web\/src\/api\.ts$/,
    instead: "web/src/api.ts: the token, time-outs",
  },
  { what: /\bDate\.now\(|\bnew Date\(\)/, home: /^$/, instead: "the agent's time, which its views say" },
  { what: /\bsetInterval\(/, home: /^$/, instead: "a chain of setTimeout, cleared on unmount" },
  { what: /\bconsole\./, home: /^$/, instead: "a sentence on the page" },
];

test.each(PAGE_BANS)("in the page $what only at home; elsewhere $instead", ({ what, home }) => {
  const wrong = page.filter(({ path, text }) => !home.test(path) && what.test(withoutComments(text)));
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

/** Where waiting is a part of the protocol. */
const PROTOCOL_TIMERS = [
  // Acknowledgements have to be asked for.
  "outputs/splunk-hec/acks.ts",
  // With TLS 1.3 a server that accepts the client's certificate may say nothing at all.
  "outputs/syslog/connect.ts",
];

test("an output holds no timer of its own", () => {
  // The lane around it waits, retries and gives up; see the contract in agent/api/output.ts.
  const wrong = production.filter(
    ({ path, text, imports }) =>
      path.startsWith("outputs/") &&
      isPlugin(path) &&
      !PROTOCOL_TIMERS.includes(path) &&
      (/\bsetTimeout\(/.test(withoutComments(text)) || imports.includes("p-retry")),
  );
  expect(wrong.map(({ path }) => path)).toEqual([]);
});

test("a test that is skipped says why", () => {
  const wrong: string[] = [];
  for (const { path, text } of files.filter(({ path }) => path.startsWith("test/") || path.endsWith(".test.ts"))) {
    if (path === "test/architecture.test.ts") continue;
    const lines = text.split("\n");
    for (const [i, line] of lines.entries()) {
      if (/\b(test|it|describe)\.only\b/.test(line)) wrong.push(`${path}:${i + 1} .only`);
      // A condition (skipIf, runIf) is a reason; a bare skip needs one in words.
      const skips = /\b(test|it|describe)\.(skip|todo)\b|\.skip\(\)/.test(line);
      const said = [line, lines[i - 1] ?? ""].some((near) => /\/\/|\/\*|\*\/|skip\("/.test(near));
      if (skips && !said) wrong.push(`${path}:${i + 1} a skip without a comment that says why`);
    }
  }
  expect(wrong).toEqual([]);
});

test("no file is longer than one can read", () => {
  const long = files.map(({ path, text }) => ({ path, lines: text.split("\n").length }));
  const over = long.filter(({ lines }) => lines > 300);
  // The aim is 300 lines; the wall is 500.
  for (const { path, lines } of over) process.stdout.write(`  long: ${path} (${lines} lines)\n`);
  expect(over.filter(({ lines }) => lines > 500)).toEqual([]);
});
