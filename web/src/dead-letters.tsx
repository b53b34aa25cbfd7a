import { useState } from "preact/hooks";
import type { LettersChosen, LettersDone, PipelineView } from "../../agent/api/operate.ts";
import { useAct } from "./actions.tsx";
import type { Api } from "./api.ts";
import { entries, plural } from "./format.ts";
import { keyOfLetter, Letter } from "./letter.tsx";
import { useLetters } from "./use-letters.ts";

/** What destinations refused for good: why, and what is to become of it. */
export function DeadLetters({ api, view, refused }: { api: Api; view: PipelineView; refused: () => void }) {
  const { dead_letters: kept, outputs } = view;
  const [output, setOutput] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const { letters, total, more, loadMore, reload, failure } = useLetters(api, output, kept.records, refused);
  const act = useAct();
  // Of those chosen, some may be gone by now.
  const picked = letters.filter((letter) => chosen.has(keyOfLetter(letter)));
  const toggle = (key: string) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(key)) after.add(key);
      return after;
    });

  const post = (verb: "replay" | "discard", wanted: readonly LettersChosen[]) =>
    act.run(async () => {
      let records = 0;
      let left = 0;
      try {
        for (const each of wanted) {
          const done = await api.post<LettersDone>(`dead-letters/${verb}`, each);
          records += done.records;
          left += done.left;
        }
      } finally {
        setChosen(new Set());
        reload();
      }
      const what = plural(records, "dead letter");
      const stay = left === 0 ? "" : ` ${left} stay: their output is no longer configured.`;
      const verbs = records === 1 ? { replay: "is", discard: "was" } : { replay: "are", discard: "were" };
      return verb === "replay"
        ? `${what} ${verbs.replay} sent again.${stay}`
        : `${what} ${verbs.discard} discarded.${stay}`;
    });
  const wanted = (): LettersChosen[] => {
    if (picked.length === 0) return [output === "" ? { all: true } : { output }];
    const ids = Map.groupBy(picked, (letter) => letter.output);
    return [...ids].map(([name, each]) => ({ output: name, ids: each.map(({ id }) => id) }));
  };
  const number = picked.length > 0 ? picked.length : total;
  const which = picked.length > 0 ? `${picked.length} chosen` : output === "" ? "all" : `all of ${output}`;
  const discard = async () => {
    const sure = await act.ask({
      title: `Discard ${plural(number, "dead letter")}?`,
      text: `${entries(number)} that could not be delivered${output === "" ? "" : ` to ${output}`} will be deleted from the agent’s disk. This cannot be undone.`,
      yes: `Discard ${plural(number, "dead letter")}`,
    });
    if (sure) await post("discard", wanted());
  };

  return (
    <section id="dead-letters" aria-labelledby="dead-letters-title" tabIndex={-1}>
      <h2 id="dead-letters-title">
        Dead letters <span class="sum">{kept.records > 0 && entries(kept.records)}</span>
      </h2>
      <div class="panel">
        {kept.records === 0 && letters.length === 0 ? (
          <p class="empty">No destination has refused an entry for good.</p>
        ) : (
          <>
            <div class="tools">
              <label>
                Output{" "}
                <select value={output} onChange={(event) => setOutput(event.currentTarget.value)}>
                  <option value="">all</option>
                  {outputs.map(({ alias }) => (
                    <option key={alias} value={alias}>
                      {alias}
                    </option>
                  ))}
                </select>
              </label>
              <span class="grow" />
              <button type="button" class="primary" disabled={number === 0} onClick={() => post("replay", wanted())}>
                Replay {which}
              </button>
              <button type="button" class="danger" disabled={number === 0} onClick={discard}>
                Discard {which}…
              </button>
            </div>
            {failure && (
              <p class="said bad" role="alert">
                {failure}.
              </p>
            )}
            <ul class="letters">
              {letters.map((letter) => {
                const key = keyOfLetter(letter);
                return (
                  <Letter
                    key={key}
                    letter={letter}
                    now={view.time}
                    chosen={chosen.has(key)}
                    toggle={() => toggle(key)}
                  />
                );
              })}
            </ul>
            {more && (
              <button type="button" class="more" onClick={loadMore}>
                <span>
                  Show more ({letters.length} of {total})
                </span>
              </button>
            )}
          </>
        )}
      </div>
    </section>
  );
}
