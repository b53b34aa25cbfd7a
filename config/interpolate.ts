/**
 * `${VAR}`, `${VAR:-default}`, `${VAR:+alternative}`, `${VAR:?message}`, `${file:/path}`; `$$` is a dollar sign.
 *
 * Works on single scalar values of the parsed document, so what a variable holds can never change the document's structure, and is
 * never expanded again. Defaults, alternatives and file names may hold further references.
 */

export interface Sources {
  variable(name: string): string | undefined;
  /** The file's text; throws an Error that may be shown. */
  file(path: string): string;
}

export interface Interpolated {
  readonly value: string;
  /** Something came from outside of the document, so the value must not be printed. */
  readonly outside: boolean;
  /** The whole value is this one `${file:…}`: a secret may read it again later. */
  readonly file: string | undefined;
  /** Sentences; the value is of no use where there are any. */
  readonly problems: readonly string[];
}

/** How deep references may nest: `${A:-${B:-c}}` is 2. */
const MAX_DEPTH = 16;

const FORMS =
  "${NAME}, ${NAME:-default}, ${NAME:+alternative}, ${NAME:?message} and ${file:/path}; $$ is a dollar sign";

export function interpolate(text: string, sources: Sources): Interpolated {
  if (!text.includes("$")) return { value: text, outside: false, file: undefined, problems: [] };
  const expansion = new Expansion(text, sources);
  try {
    const value = expansion.text(0, true);
    return { value, outside: expansion.outside, file: expansion.wholeFile, problems: expansion.problems };
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    return { value: "", outside: true, file: undefined, problems: [error.message] };
  }
}

class Malformed extends Error {}

class Expansion {
  readonly problems: string[] = [];
  outside = false;
  wholeFile: string | undefined;
  readonly #text: string;
  readonly #sources: Sources;
  #at = 0;

  constructor(text: string, sources: Sources) {
    this.#text = text;
    this.#sources = sources;
  }

  /** Up to the end, or inside a reference up to its closing brace. What is not `live` is read over and asks nobody. */
  text(depth: number, live: boolean): string {
    const text = this.#text;
    let out = "";
    while (this.#at < text.length) {
      if (depth > 0 && text[this.#at] === "}") return out;
      if (text.startsWith("$$", this.#at)) {
        out += "$";
        this.#at += 2;
      } else if (text.startsWith("${", this.#at)) {
        out += this.#reference(depth + 1, live);
      } else {
        out += text[this.#at++];
      }
    }
    if (depth > 0) throw new Malformed("a ${ is never closed; the closing } is missing");
    return out;
  }

  #reference(depth: number, live: boolean): string {
    if (depth > MAX_DEPTH) throw new Malformed(`references are nested more than ${MAX_DEPTH} deep`);
    const start = this.#at;
    this.#at += 2;
    const name = this.#name();
    const operator = this.#operator(name);
    if (operator === "}") return live ? this.#variable(name, "") : "";
    if (operator === "file:") return this.#file(start, depth, live);
    const value = live ? this.#sources.variable(name) : undefined;
    if (live) this.outside = true;
    const empty = value === undefined || value === "";
    if (operator === ":?") {
      // The message is shown as written: whatever it refers to stays out of it.
      const from = this.#at;
      this.text(depth, false);
      const message = this.#text.slice(from, this.#at++).trim();
      if (live && empty) this.problems.push(message === "" ? `\${${name}} is not set` : `\${${name}}: ${message}`);
      return value ?? "";
    }
    const other = this.text(depth, live && (operator === ":-" ? empty : !empty));
    this.#at++;
    if (operator === ":-") return empty ? other : value;
    return empty ? "" : other;
  }

  #name(): string {
    const pattern = /[A-Za-z_][A-Za-z0-9_]*/y;
    pattern.lastIndex = this.#at;
    const name = pattern.exec(this.#text)?.[0];
    if (name === undefined) throw new Malformed(`after \${ comes the name of a variable; known are ${FORMS}`);
    this.#at += name.length;
    return name;
  }

  #operator(name: string): string {
    const text = this.#text;
    if (this.#at >= text.length) throw new Malformed(`\${${name} is never closed; the closing } is missing`);
    for (const operator of ["}", ":-", ":+", ":?"]) {
      if (text.startsWith(operator, this.#at)) {
        this.#at += operator.length;
        return operator;
      }
    }
    if (name === "file" && text[this.#at] === ":") {
      this.#at++;
      return "file:";
    }
    throw new Malformed(`what follows \${${name} is not understood; known are ${FORMS}`);
  }

  #variable(name: string, otherwise: string): string {
    this.outside = true;
    const value = this.#sources.variable(name);
    if (value === undefined) {
      this.problems.push(`the environment variable ${name} is not set (\${${name}:-default} gives it a default)`);
    }
    return value ?? otherwise;
  }

  #file(start: number, depth: number, live: boolean): string {
    const path = this.text(depth, live);
    this.#at++;
    if (!live) return "";
    this.outside = true;
    if (path === "") {
      this.problems.push("${file:} names no file");
      return "";
    }
    if (start === 0 && this.#at === this.#text.length) this.wholeFile = path;
    // With an unset variable in its name the file is another one: one problem is enough.
    if (this.problems.length > 0) return "";
    try {
      return this.#sources.file(path);
    } catch (error) {
      this.problems.push(error instanceof Error ? error.message : String(error));
      return "";
    }
  }
}
