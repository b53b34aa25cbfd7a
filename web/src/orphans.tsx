import type { OrphanDropped, PipelineView } from "../../agent/api/operate.ts";
import { useAct } from "./actions.tsx";
import type { Api } from "./api.ts";
import { bytes, entries } from "./format.ts";

/** What waits for outputs that are no longer configured. There seldom is any, and then the section is not there. */
export function Orphans({ api, view: { orphans } }: { api: Api; view: PipelineView }) {
  const act = useAct();
  if (orphans.length === 0) return null;
  const drop = async (alias: string, records: number, size: number) => {
    const sure = await act.ask({
      title: `Give up what waits for ${alias}?`,
      text: `${entries(records)} (${bytes(size)}) are given up and counted as lost. This cannot be undone.`,
      yes: `Give up ${entries(records)}`,
    });
    if (!sure) return;
    await act.run(async () => {
      const done = await api.post<OrphanDropped>(`orphans/${encodeURIComponent(alias)}/drop`);
      return `Gave up ${entries(done.records)} (${bytes(done.bytes)}) that waited for ${done.alias}.`;
    });
  };
  return (
    <section id="orphans" aria-labelledby="orphans-title" tabIndex={-1}>
      <h2 id="orphans-title">Left behind</h2>
      <ul class="panel rows">
        {orphans.map(({ alias, records, bytes: size }) => (
          <li key={alias}>
            <span>
              <strong>{alias}</strong> is no longer configured: {entries(records)} ({bytes(size)}) wait in the queue.
            </span>
            <button type="button" class="danger" onClick={() => drop(alias, records, size)}>
              Give up…
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
