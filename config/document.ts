/**
 * YAML → plain values with interpolation done, remembering of every value where it stands and whether it came from outside.
 * Anchors, aliases and merge keys work; what they expand to is bounded.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type YAMLError } from "yaml";
import { interpolate, type Sources } from "./interpolate.ts";
import { formatPath, type Path, type Problem } from "./problems.ts";

/** More than any configuration needs; aliases of aliases reach it fast. */
const MAX_NODES = 100_000;
const MAX_DEPTH = 32;

export interface Leaf {
  /** Offset in the text of the key, or of the list item. */
  readonly offset: number;
  /** Holds something from the environment or a file: never print it. */
  outside?: boolean;
  /** The whole value is `${file:<this>}`. */
  file?: string;
  /** Could not be interpolated: what it holds now says nothing. */
  failed?: boolean;
}

export interface Parsed {
  /** A plain object, or undefined where the text is no map. */
  readonly root: Record<string, unknown> | undefined;
  /** Of the document itself: syntax, duplicate keys, unset variables. Each with the path where it lies. */
  readonly problems: readonly { readonly path: Path; readonly problem: Problem; readonly outside: boolean }[];
  /** Line of the first syntax error: beyond it nothing can be trusted. */
  readonly brokenFrom: number | undefined;
  leaf(path: Path): Leaf | undefined;
  /** Where the path is, or else its nearest ancestor. */
  at(path: Path, message: string): Problem;
}

export function parseDocument(text: string, sources: Sources): Parsed {
  const reader = new Reader(text, sources);
  return reader.read();
}

class Reader {
  readonly #text: string;
  readonly #sources: Sources;
  readonly #lines = new LineCounter();
  readonly #leaves = new Map<string, Leaf>();
  readonly #problems: { path: Path; problem: Problem; outside: boolean }[] = [];
  #document: Document | undefined;
  #nodes = 0;

  constructor(text: string, sources: Sources) {
    this.#text = text;
    this.#sources = sources;
  }

  read(): Parsed {
    const documents = parseAllDocuments(this.#text, {
      lineCounter: this.#lines,
      // Pretty errors quote lines of the file, and a line may hold a secret.
      prettyErrors: false,
      uniqueKeys: false,
      merge: true,
      logLevel: "silent",
    });
    const [document, second] = documents as unknown as Document.Parsed[];
    this.#document = document;
    let brokenFrom: number | undefined;
    for (const error of document?.errors ?? []) {
      const problem = this.#syntax(error);
      if (brokenFrom === undefined || problem.line < brokenFrom) brokenFrom = problem.line;
      // One slip makes several errors on its line; the first says it best.
      if (this.#problems.every((p) => p.problem.line !== problem.line)) this.#report([], problem);
    }
    for (const warning of document?.warnings ?? []) this.#report([], this.#syntax(warning));
    if (second !== undefined && brokenFrom === undefined) {
      const offset = second.range?.[0] ?? 0;
      this.#report([], this.#problem(offset, [], "a second document starts here (---); a configuration is one"));
    }
    return {
      root: this.#root(document, brokenFrom !== undefined),
      problems: this.#problems,
      brokenFrom,
      leaf: (path) => this.#leaves.get(keyOf(path)),
      at: (path, message) => this.#problem(this.#nearest(path), path, message),
    };
  }

  #root(document: Document | undefined, broken: boolean): Record<string, unknown> | undefined {
    const contents = document?.contents;
    if (isMap(contents)) return this.#map(contents, [], new Set()) as Record<string, unknown>;
    if (broken) return undefined;
    const empty = contents === undefined || contents === null || (isScalar(contents) && contents.value === null);
    const message = empty ? "is empty" : "is not a map of `service` and `pipeline`";
    this.#report([], { line: 0, column: 0, path: "", message });
    return undefined;
  }

  #value(node: unknown, path: Path, open: ReadonlySet<unknown>): unknown {
    if (++this.#nodes > MAX_NODES || path.length > MAX_DEPTH) {
      if (this.#nodes <= MAX_NODES + 1) {
        this.#nodes = MAX_NODES + 1;
        this.#report(path, this.#problem(this.#nearest(path), path, "is nested too deep or repeats itself too often"));
      }
      return undefined;
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document!);
      if (target === undefined) {
        this.#report(path, this.#problem(this.#nearest(path), path, `no anchor &${node.source} stands before this`));
        return undefined;
      }
      if (open.has(target)) {
        this.#report(path, this.#problem(this.#nearest(path), path, `the alias *${node.source} contains itself`));
        return undefined;
      }
      return this.#value(target, path, open);
    }
    if (isMap(node)) return this.#map(node, path, open);
    if (isSeq(node)) {
      const inner = new Set(open).add(node);
      return node.items.map((item, index) => {
        this.#place(item, [...path, index], item);
        return this.#value(item, [...path, index], inner);
      });
    }
    if (!isScalar(node)) return null;
    return typeof node.value === "string" ? this.#string(node.value, path) : node.value;
  }

  #map(node: { items: readonly { key: unknown; value: unknown }[] }, path: Path, open: ReadonlySet<unknown>): unknown {
    const inner = new Set(open).add(node);
    const own = new Map<string, unknown>();
    const merged = new Map<string, unknown>();
    for (const { key, value } of node.items) {
      if (isMergeKey(key)) {
        this.#merge(value, path, inner, merged);
        continue;
      }
      const name = isScalar(key) && !Array.isArray(key.value) ? String(key.value) : undefined;
      const offset = rangeOf(key) ?? 0;
      if (name === undefined || name === "__proto__") {
        this.#report(path, this.#problem(offset, path, "a key must be a plain word"));
        continue;
      }
      const at = [...path, name];
      if (own.has(name)) {
        const first = this.#lines.linePos(this.#leaves.get(keyOf(at))!.offset).line;
        this.#report(at, this.#problem(offset, at, `given twice (first in line ${first})`));
        continue;
      }
      this.#place(key, at, value);
      own.set(name, this.#value(value, at, inner));
    }
    const result: Record<string, unknown> = {};
    for (const [name, value] of own) result[name] = value;
    for (const [name, value] of merged) if (!own.has(name)) result[name] = value;
    return result;
  }

  /** `<<: *base` or `<<: [*a, *b]`: what the map itself says wins, then the earlier of the list. */
  #merge(node: unknown, path: Path, open: ReadonlySet<unknown>, into: Map<string, unknown>): void {
    const offset = rangeOf(node) ?? 0;
    const target = isAlias(node) ? node.resolve(this.#document!) : node;
    if (isSeq(target)) {
      for (const item of target.items) this.#merge(item, path, open, into);
    } else if (isMap(target) && !open.has(target)) {
      const values = this.#value(target, path, open) as Record<string, unknown> | undefined;
      for (const [name, value] of Object.entries(values ?? {})) if (!into.has(name)) into.set(name, value);
    } else {
      this.#report(path, this.#problem(offset, path, "<< merges maps only"));
    }
  }

  #string(text: string, path: Path): string {
    const { value, outside, file, problems } = interpolate(text, this.#sources);
    const leaf = this.#leaves.get(keyOf(path));
    if (leaf !== undefined) {
      leaf.outside = outside;
      if (file !== undefined) leaf.file = file;
      if (problems.length > 0) leaf.failed = true;
    }
    for (const message of problems) this.#report(path, this.#problem(this.#nearest(path), path, message), true);
    return value;
  }

  #place(anchor: unknown, path: Path, value: unknown): void {
    const offset = rangeOf(anchor) ?? rangeOf(value) ?? this.#nearest(path);
    this.#leaves.set(keyOf(path), { offset });
  }

  #nearest(path: Path): number {
    for (let length = path.length; length > 0; length--) {
      const leaf = this.#leaves.get(keyOf(path.slice(0, length)));
      if (leaf) return leaf.offset;
    }
    return 0;
  }

  #report(path: Path, problem: Problem, outside = false): void {
    this.#problems.push({ path, problem, outside });
  }

  #problem(offset: number, path: Path, message: string): Problem {
    const { line, col } = this.#lines.linePos(offset);
    return { line, column: col, path: formatPath(path), message };
  }

  #syntax(error: YAMLError): Problem {
    const problem = this.#problem(error.pos[0], [], SYNTAX[error.code] ?? "is not valid YAML here");
    const start = this.#text.lastIndexOf("\n", error.pos[0] - 1) + 1;
    const end = this.#text.indexOf("\n", error.pos[0]);
    const line = this.#text.slice(start, end < 0 ? undefined : end);
    // {port: ${PORT}}: by far the most frequent way to get here.
    if (error.code === "UNEXPECTED_TOKEN" && /[{[,:]\s*\$\{/.test(line)) {
      return {
        ...problem,
        message: "not valid YAML here: between { } or [ ] a value with ${…} needs quotes: '${NAME}'",
      };
    }
    return problem;
  }
}

// The library's own messages quote the text, which may be a secret; these do not.
const SYNTAX: Readonly<Record<string, string>> = {
  ALIAS_PROPS: "an alias (*name) can have neither anchor nor tag",
  BAD_ALIAS: "not a valid anchor or alias name",
  BAD_DIRECTIVE: "not a valid YAML directive",
  BAD_DQ_ESCAPE: "not a valid escape in a \"…\" string (in '…' strings a backslash is only a backslash)",
  BAD_INDENT: "wrong indentation, or a [ or { that is never closed",
  BAD_PROP_ORDER: "anchors and tags come before the value",
  BAD_SCALAR_START: "a value cannot start with @ or ` or %: put it in quotes",
  BLOCK_AS_IMPLICIT_KEY: "a second `key:` in one line; a value with a colon and a space needs quotes",
  BLOCK_IN_FLOW: "a block cannot stand between { } or [ ]",
  DUPLICATE_KEY: "given twice",
  IMPOSSIBLE: "is not valid YAML here",
  KEY_OVER_1024_CHARS: "a key this long cannot be right",
  MISSING_CHAR: "something is missing here: a closing quote, a comma, a colon or a space",
  MULTILINE_IMPLICIT_KEY: "a key cannot go over several lines; is a colon missing, or the indentation wrong?",
  MULTIPLE_ANCHORS: "only one anchor per value",
  MULTIPLE_DOCS: "a second document starts here (---); a configuration is one",
  MULTIPLE_TAGS: "only one tag per value",
  NON_STRING_KEY: "a key must be a plain word",
  TAB_AS_INDENT: "a tab; YAML is indented with spaces only",
  TAG_RESOLVE_FAILED: "a YAML tag (!…) that means nothing here",
  UNEXPECTED_TOKEN: "not valid YAML here; is the indentation right, and are quotes and brackets closed?",
};

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && (key.value === "<<" || typeof key.value === "symbol") && key.type === "PLAIN";
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] | null } | null)?.range?.[0];
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}
