import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import type { LettersView, LetterView } from "../../agent/api/operate.ts";
import { type Api, ApiError, sentenceOf } from "./api.ts";

const PAGE = 50;
/** How soon a change of their number leads to asking anew: an output that refuses all does that every second. */
const SETTLE_MS = 400;

interface Letters {
  readonly letters: readonly LetterView[];
  readonly total: number;
  readonly more: boolean;
  readonly loadMore: () => void;
  readonly reload: () => void;
  readonly failure: string | undefined;
}

/** The dead letters of an output, or of all (""), as far as they have been asked for; asked for anew whenever their number changes. */
export function useLetters(api: Api, output: string, records: number, refused: () => void): Letters {
  const [pages, setPages] = useState<readonly LettersView[]>([]);
  const [failure, setFailure] = useState<string>();
  // An answer that comes after a later question is of no use.
  const asked = useRef(0);

  const load = useCallback(
    async (after: string | undefined) => {
      asked.current++;
      const question = asked.current;
      const query = new URLSearchParams({ limit: String(PAGE) });
      if (output !== "") query.set("output", output);
      if (after !== undefined) query.set("after", after);
      try {
        const page = await api.get<LettersView>(`dead-letters?${query}`);
        if (question !== asked.current) return;
        setPages((before) => (after === undefined ? [page] : [...before, page]));
        setFailure(undefined);
      } catch (error) {
        if (error instanceof ApiError && error.status === 401) refused();
        else if (question === asked.current) setFailure(sentenceOf(error));
      }
    },
    [api, output],
  );
  useEffect(() => {
    const timer = setTimeout(() => void load(undefined), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [load, records]);

  const next = pages.at(-1)?.next ?? null;
  return {
    letters: pages.flatMap(({ letters }) => letters),
    total: pages.at(-1)?.total ?? records,
    more: next !== null,
    loadMore: () => next !== null && void load(next),
    reload: () => void load(undefined),
    failure,
  };
}
