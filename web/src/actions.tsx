/** What a person asks of the agent: said back in words, and asked twice where it cannot be undone. */
import { type ComponentChildren, createContext } from "preact";
import { useContext, useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, sentenceOf } from "./api.ts";
import { Modal } from "./modal.tsx";

export interface Question {
  readonly title: string;
  readonly text: ComponentChildren;
  /** What the button says that does it. */
  readonly yes: string;
}

export interface Act {
  /** Does it, and says what came of it: the sentence `work` returns, or why it failed. True where it did not fail. */
  run(work: () => Promise<string>): Promise<boolean>;
  /** Asks first. */
  ask(question: Question): Promise<boolean>;
}

interface Notice {
  readonly text: string;
  readonly failed: boolean;
}

const ActContext = createContext<Act>({ run: async () => false, ask: async () => false });
export const useAct = (): Act => useContext(ActContext);

const NOTICE_MS = 8000;

export function Actions({ refused, children }: { refused: () => void; children: ComponentChildren }) {
  const [notice, setNotice] = useState<Notice>();
  const [asked, setAsked] = useState<Question & { answer: (yes: boolean) => void }>();

  useEffect(() => {
    // A failure stays until it is put away.
    if (!notice || notice.failed) return;
    const timer = setTimeout(() => setNotice(undefined), NOTICE_MS);
    return () => clearTimeout(timer);
  }, [notice]);

  const act = useMemo<Act>(
    () => ({
      async run(work) {
        try {
          setNotice({ text: await work(), failed: false });
          return true;
        } catch (error) {
          if (error instanceof ApiError && error.status === 401) refused();
          else setNotice({ text: `${sentenceOf(error)}.`.replace(/\.\.$/, "."), failed: true });
          return false;
        }
      },
      ask: (question) => new Promise((answer) => setAsked({ ...question, answer })),
    }),
    [],
  );
  const answer = (yes: boolean) => {
    asked?.answer(yes);
    setAsked(undefined);
  };
  return (
    <ActContext.Provider value={act}>
      {children}
      {asked && <Confirm question={asked} answer={answer} />}
      <div class="notices" role="status">
        {notice && (
          <p class={notice.failed ? "notice bad" : "notice"}>
            {notice.text}
            <button type="button" class="plain" aria-label="Put this message away" onClick={() => setNotice(undefined)}>
              ×
            </button>
          </p>
        )}
      </div>
    </ActContext.Provider>
  );
}

function Confirm({ question, answer }: { question: Question; answer: (yes: boolean) => void }) {
  return (
    <Modal kind="confirm" titled="question" close={() => answer(false)}>
      <h2 id="question">{question.title}</h2>
      <p>{question.text}</p>
      <div class="buttons">
        <button type="button" autofocus onClick={() => answer(false)}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={() => answer(true)}>
          {question.yes}
        </button>
      </div>
    </Modal>
  );
}
