import { useEffect, useState } from "preact/hooks";
import type { PipelineView, ReloadAsked, ReloadReport } from "../../agent/api/operate.ts";
import { useAct } from "./actions.tsx";
import { type Api, ApiError } from "./api.ts";
import { plural, span } from "./format.ts";
import { Modal } from "./modal.tsx";
import { Logo, Sign } from "./signs.tsx";
import type { Connection } from "./stream.ts";
import { visible } from "./text.ts";
import { applyTheme, nextTheme, theme } from "./theme.ts";

interface Props {
  readonly api: Api;
  readonly view: PipelineView | undefined;
  readonly connection: Connection;
  readonly signOut: () => void;
}

export function Header({ api, view, connection, signOut }: Props) {
  const [chosen, setChosen] = useState(theme);
  const [asking, setAsking] = useState(false);
  const turn = () => {
    const next = nextTheme(chosen);
    applyTheme(next);
    setChosen(next);
  };
  return (
    <header class="top">
      <p class="name">
        <Logo /> audit-agent {view && <span class="version">{view.version}</span>}
      </p>
      {view && (
        <p class="config" title={view.config}>
          <bdi>{visible(view.config)}</bdi>
        </p>
      )}
      <ConnectionState connection={connection} />
      <nav aria-label="Parts of the page">
        <a href="#pipeline">Pipeline</a>
        <a href="#ledger">Ledger</a>
        <a href="#chains">Chains</a>
        <a href="#dead-letters">Dead letters</a>
        <a href="#tail">Tail</a>
      </nav>
      <div class="buttons">
        <button type="button" disabled={!view} onClick={() => setAsking(true)}>
          Reload…
        </button>
        <button type="button" onClick={turn} title="Light, dark, or as the system is">
          Theme: {chosen === "system" ? "auto" : chosen}
        </button>
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </div>
      {asking && view && <Reload api={api} config={view.config} close={() => setAsking(false)} />}
    </header>
  );
}

function ConnectionState({ connection }: { connection: Connection }) {
  const [, tick] = useState(0);
  const waiting = connection.is === "lost";
  useEffect(() => {
    if (!waiting) return;
    let timer: ReturnType<typeof setTimeout>;
    const again = () => {
      tick((n) => n + 1);
      timer = setTimeout(again, 1000);
    };
    timer = setTimeout(again, 1000);
    return () => clearTimeout(timer);
  }, [waiting]);
  if (connection.is === "live") {
    return (
      <p class="connection live">
        <span class="pulse" aria-hidden="true" /> Live
      </p>
    );
  }
  const left = connection.is === "lost" ? (connection.retryAt - performance.now()) / 1000 : 0;
  return (
    <p class="connection lost">
      <Sign mark="off" /> {connection.is === "lost" ? "Not connected" : "Connecting…"}
      {left >= 1 && `, again in ${span(left)}`}
    </p>
  );
}

/** Its answer is worth more than a sentence: what changed, or why nothing did. */
function Reload({ api, config, close }: { api: Api; config: string; close: () => void }) {
  const act = useAct();
  const [unprobed, setUnprobed] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<ReloadReport>();

  const reload = async () => {
    setBusy(true);
    setRefusal(undefined);
    const done = await act.run(async () => {
      try {
        return sentence(await api.post<ReloadReport>("reload", { unprobed } satisfies ReloadAsked));
      } catch (error) {
        const report = error instanceof ApiError && error.status === 409 ? reportOf(error.answer) : undefined;
        if (!report) throw error;
        setRefusal(report);
        throw new ApiError(409, "The new configuration was not taken", report);
      }
    });
    setBusy(false);
    if (done) close();
  };
  return (
    <Modal kind="confirm" titled="reload" close={close}>
      <h2 id="reload">Reload the configuration?</h2>
      <p>
        <code>{visible(config)}</code> is read again and checked, and each destination that is new or changed is tried.
        If anything is wrong, everything goes on as it is.
      </p>
      <label class="check">
        <input type="checkbox" checked={unprobed} onChange={(event) => setUnprobed(event.currentTarget.checked)} />
        Take it even where a destination cannot be reached
      </label>
      {refusal && (
        <div class="said bad" role="alert">
          <p>Nothing was changed:</p>
          <ul>
            {refusal.problems.map((problem) => (
              <li key={problem}>{visible(problem)}</li>
            ))}
          </ul>
        </div>
      )}
      <div class="buttons">
        <button type="button" onClick={close}>
          Cancel
        </button>
        <button type="button" class="primary" disabled={busy} onClick={reload}>
          {busy ? "Reloading…" : "Reload"}
        </button>
      </div>
    </Modal>
  );
}

function sentence({ changes, kept, problems }: ReloadReport): string {
  const changed = changes.length === 0 ? "Nothing had changed" : `Reloaded: ${plural(changes.length, "change")}`;
  const later = problems.length === 0 ? "" : ` At the next start: ${problems.map(visible).join("; ")}`;
  return `${changed}; ${plural(kept, "part goes", "parts go")} on as before.${later}`;
}

function reportOf(answer: unknown): ReloadReport | undefined {
  return Array.isArray((answer as Partial<ReloadReport> | undefined)?.problems) ? (answer as ReloadReport) : undefined;
}
