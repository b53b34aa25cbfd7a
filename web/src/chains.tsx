import type { ChainView, PipelineView } from "../../agent/api/operate.ts";
import { clock, count, plural } from "./format.ts";
import { chainMark, worstFirst } from "./mark.ts";
import { breakOf } from "./problems.ts";
import { State } from "./signs.tsx";
import { brief, visible } from "./text.ts";
import { useAll } from "./use-all.tsx";

/** Whether what was written is what was read: per group of files that are one chain. */
export function Chains({ view }: { view: PipelineView }) {
  const verifying = view.filters.filter(({ chains }) => chains !== null);
  const groups = verifying.flatMap(({ chains }) => chains!.groups);
  const all = verifying.reduce((sum, { chains }) => sum + chains!.count, 0);
  const { shown, more } = useAll(groups, (chains, most) => worstFirst(chains, most, chainMark), "chains", 8);
  return (
    <section id="chains" aria-labelledby="chains-title" tabIndex={-1}>
      <h2 id="chains-title">
        Hash chains <span class="sum">{all > 0 && sumOf(groups)}</span>
      </h2>
      <div class="panel">
        {verifying.length === 0 && (
          <p class="empty">
            No chains are verified. A filter named <code>chain</code> does that.
          </p>
        )}
        {verifying.length > 0 && groups.length === 0 && <p class="empty">No entry with a hash has come yet.</p>}
        {groups.length > 0 && (
          <ul class="chains">
            {shown.map((chain) => (
              <Chain key={`${chain.scheme} ${chain.group}`} chain={chain} now={view.time} />
            ))}
          </ul>
        )}
        {more}
        {all > groups.length && (
          <p class="hint">
            The agent tells of {groups.length} of {count(all)} chains, those with breaks first.
          </p>
        )}
      </div>
    </section>
  );
}

function sumOf(groups: readonly ChainView[]): string {
  const broken = groups.filter((chain) => chainMark(chain).mark === "bad").length;
  return broken === 0 ? "intact" : `${plural(broken, "chain")} broken`;
}

function Chain({ chain, now }: { chain: ChainView; now: string }) {
  const marked = chainMark(chain);
  const why = breakOf(chain, now);
  return (
    <li class={marked.mark}>
      <p class="group">
        <State marked={marked} /> <bdi>{visible(chain.group)}</bdi>
      </p>
      <p class="facts">
        {plural(chain.entries, "entry", "entries")} · {chain.scheme} · tip{" "}
        <code title={chain.tip}>{brief(chain.tip)}</code> · last{" "}
        <time dateTime={chain.active_at}>{clock(chain.active_at, now)}</time>
      </p>
      {why && <p class="said">Last break: {why}</p>}
    </li>
  );
}
