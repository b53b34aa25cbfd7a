/**
 * Entries are written by whoever is being audited. Control characters, and those that turn the direction of text or have no width, could
 * make one look like another: they are shown by their code, as `⟨202E⟩`. A tab and a line's end have signs of their own.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu;
const SIGNS: Readonly<Record<string, string>> = { "\t": "⇥", "\n": "⏎", "\r": "␍" };

export function visible(text: string): string {
  return text.replace(
    HIDDEN,
    (char) => SIGNS[char] ?? `⟨${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}⟩`,
  );
}

/** A long hash or id by its beginning. */
export function brief(text: string, length = 12): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}
