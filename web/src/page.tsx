import { useEffect, useState } from "preact/hooks";
import { About } from "./about.tsx";
import type { Api } from "./api.ts";
import { Chains } from "./chains.tsx";
import { Charts } from "./charts.tsx";
import { DeadLetters } from "./dead-letters.tsx";
import { Details, type Subject } from "./details.tsx";
import { showInTab } from "./favicon.ts";
import { Figures } from "./figures.tsx";
import { Header } from "./header.tsx";
import { Ledgers } from "./ledger.tsx";
import { AgentLog } from "./log.tsx";
import { Orphans } from "./orphans.tsx";
import { Picture } from "./picture.tsx";
import { Tail } from "./tail.tsx";
import { useAgent } from "./use-agent.ts";
import { titleOf, verdictOf } from "./verdict.ts";
import { VerdictPanel } from "./verdict-panel.tsx";

export function Page({ api, refused, signOut }: { api: Api; refused: () => void; signOut: () => void }) {
  const { model, connection, log } = useAgent(api, refused);
  const [subject, setSubject] = useState<Subject>();
  const live = connection.is === "live";
  const verdict = model && verdictOf(model.view, model.rates);
  const title = titleOf(verdict, live);
  useEffect(() => showInTab(title, live ? verdict?.mood : undefined), [title, live, verdict?.mood]);

  return (
    <>
      <a class="skip" href="#verdict">
        Skip to the verdict
      </a>
      <Header api={api} view={model?.view} connection={connection} signOut={signOut} />
      <main class={live ? undefined : "stale"}>
        <VerdictPanel verdict={verdict} view={model?.view} connection={connection} />
        {model && (
          <>
            <Figures model={model} />
            <Picture model={model} open={setSubject} />
            <Charts model={model} />
            <div class="pair">
              <Ledgers outputs={model.view.outputs} />
              <div>
                <Chains view={model.view} />
                <AgentLog log={log} now={model.view.time} />
              </div>
            </div>
            <DeadLetters api={api} view={model.view} refused={refused} />
            <Orphans api={api} view={model.view} />
            <Tail api={api} view={model.view} refused={refused} />
            <About view={model.view} />
          </>
        )}
      </main>
      {model && subject && <Details api={api} model={model} subject={subject} close={() => setSubject(undefined)} />}
    </>
  );
}
