/** Dead letters as the operating interface shows and chooses them. */
import { isUtf8 } from "node:buffer";
import type { LettersChosen, LettersView, LetterView } from "../api/operate.ts";
import type { DeadLetter } from "../queue/dead-letters.ts";

const SHOWN_BYTES = 64 * 1024;
/** A page of letters takes at most so many bytes of originals. */
const PAGE_BYTES = 4 * 1024 * 1024;

export interface LettersAsked {
  readonly output?: string | undefined;
  /** As `next` was told. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export async function lettersView(
  letters: AsyncIterable<DeadLetter>,
  { output, after, limit }: LettersAsked,
): Promise<LettersView> {
  const shown: LetterView[] = [];
  const skip = Number(after ?? 0) || 0;
  let total = 0;
  let bytes = 0;
  for await (const letter of letters) {
    if (output !== undefined && letter.output !== output) continue;
    if (total++ < skip || shown.length >= limit || bytes > PAGE_BYTES) continue;
    shown.push(viewOf(letter));
    bytes += Math.min(letter.original.length, SHOWN_BYTES);
  }
  const next = skip + shown.length;
  return { letters: shown, next: next < total ? String(next) : null, total };
}

function viewOf({ id, output, time, reason, attempts, tag, path, offset, original }: DeadLetter): LetterView {
  const bytes = original.subarray(0, SHOWN_BYTES);
  // A cut character is no reason to show the rest in base64.
  const text = isUtf8(original);
  return {
    id,
    output,
    time: new Date(time).toISOString(),
    reason,
    attempts,
    tag,
    path: path ?? null,
    offset,
    original: text ? bytes.toString() : bytes.toString("base64"),
    encoding: text ? "utf8" : "base64",
  };
}

/** Undefined where nothing sensible was chosen. */
export function chooser({ output, ids, all }: LettersChosen): ((letter: DeadLetter) => boolean) | undefined {
  if (output !== undefined) {
    const wanted = ids && new Set(ids);
    return (letter) => letter.output === output && (wanted?.has(letter.id) ?? true);
  }
  return all === true && ids === undefined ? () => true : undefined;
}
