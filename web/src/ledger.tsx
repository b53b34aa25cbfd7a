import type { OutputView } from "../../agent/api/operate.ts";
import { count } from "./format.ts";
import { outputMark, worstFirst } from "./mark.ts";
import { partId } from "./problems.ts";
import { Sign } from "./signs.tsx";
import { useAll } from "./use-all.tsx";

const COLUMNS = ["read", "created", "filtered", "delivered", "rejected", "lost", "queued"] as const;
/** Where each entry is, or went: what a bar is made of. */
const SHARES = ["delivered", "filtered", "rejected", "lost", "queued"] as const;

/** Per output, and at any moment: read + created = filtered + delivered + rejected + lost + queued. */
export function Ledgers({ outputs }: { outputs: readonly OutputView[] }) {
  const { shown, more } = useAll(outputs, (all, most) => worstFirst(all, most, ledgerMark), "outputs", 10);
  const balanced = outputs.every(({ imbalance }) => imbalance === 0);
  return (
    <section id="ledger" aria-labelledby="ledger-title" tabIndex={-1}>
      <h2 id="ledger-title">
        Ledger{" "}
        <span class="sum">
          {outputs.length > 0 && (balanced ? "every entry is accounted for" : "does not balance")}
        </span>
      </h2>
      <div class="panel">
        {outputs.length === 0 ? (
          <p class="empty">There are no outputs.</p>
        ) : (
          <table class="ledger stacking">
            <thead>
              <tr>
                <th scope="col">Output</th>
                {COLUMNS.map((column) => (
                  <th key={column} scope="col" class="number">
                    {column}
                  </th>
                ))}
                <th scope="col">balance</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((output) => (
                <Row key={output.alias} output={output} />
              ))}
            </tbody>
          </table>
        )}
        {more}
        {outputs.length > 0 && (
          <p class="hint">
            read + created = filtered + delivered + rejected + lost + queued, for each output since its first entry.
          </p>
        )}
      </div>
    </section>
  );
}

function ledgerMark(output: OutputView) {
  return output.imbalance === 0 ? outputMark(output) : ({ mark: "bad", word: "unbalanced" } as const);
}

function Row({ output: { alias, ledger, imbalance } }: { output: OutputView }) {
  return (
    <tr>
      <th scope="row">
        <a href={`#${partId("output", alias)}`}>{alias}</a>
        <Shares ledger={ledger} />
      </th>
      {COLUMNS.map((column) => (
        <td key={column} data-label={column} class={`number ${ledger[column] === 0 ? "nil" : column}`}>
          {count(ledger[column])}
        </td>
      ))}
      <td data-label="balance" class={imbalance === 0 ? "balance" : "balance bad"}>
        <Sign mark={imbalance === 0 ? "ok" : "bad"} />
        {imbalance === 0 && <span>ok</span>}
        {imbalance > 0 && <span>{count(imbalance)} unaccounted for</span>}
        {imbalance < 0 && <span>{count(-imbalance)} counted twice</span>}
      </td>
    </tr>
  );
}

/** Drawn for the eye; the numbers stand beside it. */
function Shares({ ledger }: { ledger: OutputView["ledger"] }) {
  const total = SHARES.reduce((sum, share) => sum + ledger[share], 0);
  let at = 0;
  return (
    <svg class="shares" viewBox="0 0 100 3" preserveAspectRatio="none" aria-hidden="true">
      {SHARES.map((share) => {
        // What is there must be seen, however little it is.
        const width = total === 0 || ledger[share] === 0 ? 0 : Math.max(1, (ledger[share] / total) * 100);
        const x = at;
        at += width;
        return width === 0 ? null : <rect key={share} class={share} x={x} width={width} height="3" />;
      })}
    </svg>
  );
}
