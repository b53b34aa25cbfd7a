/** Values whose scalars are text already, as another language prints them: read from raw tokens and put together again. Never recurses. */
import { skipScalar, skipSpace, skipString, viewOf } from "./lexer.ts";
import { decodeString } from "./value.ts";

/** Members stand in the order in which their keys came first; of duplicates the last value stays. */
export type Node = string | Node[] | Map<string, Node>;

/** How a language prints. */
export interface Dialect {
  /** A string, with its quotes. */
  string(text: string): string;
  /** A number or literal, from its token; throws where the language has no such. */
  scalar(token: string): string;
  order(members: [string, Node][]): [string, Node][];
  readonly comma: string;
  readonly colon: string;
}

const QUOTE = 0x22;
const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** `start` to `end` hold a valid value. */
export function readTree(bytes: Buffer, start: number, end: number, dialect: Dialect): Node {
  const view = viewOf(bytes);
  const open: { node: Node[] | Map<string, Node>; key: string }[] = [];
  let p = skipSpace(bytes, start, end);
  for (;;) {
    const c = bytes[p];
    let value: Node;
    if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      const node: Node[] | Map<string, Node> = c === OPEN_BRACE ? new Map() : [];
      p = skipSpace(bytes, p + 1, end);
      if (bytes[p] !== 0x7d && bytes[p] !== 0x5d) {
        open.push({ node, key: "" });
        p = readKey();
        continue;
      }
      p++;
      value = node;
    } else {
      const from = p;
      p = c === QUOTE ? skipString(bytes, view, p, end) : skipScalar(bytes, view, p, end);
      if (p < 0) throw new Error("not valid JSON");
      value =
        c === QUOTE ? dialect.string(decodeString(bytes, from, p)) : dialect.scalar(bytes.toString("latin1", from, p));
    }
    for (;;) {
      const top = open.at(-1);
      if (top === undefined) return value;
      if (top.node instanceof Map) top.node.set(top.key, value);
      else top.node.push(value);
      p = skipSpace(bytes, p, end);
      const separator = bytes[p];
      p = skipSpace(bytes, p + 1, end);
      if (separator === 0x2c) break;
      value = top.node;
      open.pop();
    }
    p = readKey();
  }

  /** In an object the key and its colon; in an array nothing. */
  function readKey(): number {
    const top = open.at(-1)!;
    if (!(top.node instanceof Map)) return p;
    const after = skipString(bytes, view, p, end);
    if (after < 0) throw new Error("not valid JSON");
    top.key = decodeString(bytes, p, after);
    return skipSpace(bytes, skipSpace(bytes, after, end) + 1, end);
  }
}

export function printTree(root: Node, { string, order, comma, colon }: Dialect): string {
  const out: string[] = [];
  // What is still to be printed, the next thing last.
  const todo: (Node | { text: string })[] = [root];
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next === "string") {
      out.push(next);
    } else if (Array.isArray(next)) {
      todo.push({ text: "]" });
      for (let i = next.length - 1; i >= 0; i--) {
        todo.push(next[i]!);
        if (i > 0) todo.push({ text: comma });
      }
      out.push("[");
    } else if (next instanceof Map) {
      const members = order([...next]);
      todo.push({ text: "}" });
      for (let i = members.length - 1; i >= 0; i--) {
        const [key, value] = members[i]!;
        todo.push(value, { text: `${i > 0 ? comma : ""}${string(key)}${colon}` });
      }
      out.push("{");
    } else {
      out.push(next.text);
    }
  }
  return out.join("");
}
