import { Component } from "preact";
import { useState } from "preact/hooks";
import type { PipelineView } from "../../agent/api/operate.ts";
import type { Api } from "./api.ts";
import { clock, count } from "./format.ts";
import { Scroll } from "./scroll.tsx";
import { KEPT_ROWS, type TailFilter, type TailRow } from "./tail-rows.ts";
import { visible } from "./text.ts";
import { useTail } from "./use-tail.ts";

const LEVELS = ["debug", "info", "warning", "error", "critical"];
const ANY: TailFilter = { level: "", event: "", actor: "", text: "" };

/** Entries on their way into the queue. */
export function Tail({ api, view, refused }: { api: Api; view: PipelineView; refused: () => void }) {
  const [filter, setFilter] = useState(ANY);
  const [on, setOn] = useState(false);
  const { rows, skipped, connected, clear } = useTail(api, filter, on, refused);
  const filtered = Object.values(filter).some((value) => value !== "");
  const field = (name: "event" | "actor" | "text") => (
    <label>
      {name}{" "}
      <input
        type="search"
        size={name === "text" ? 16 : 11}
        value={filter[name]}
        spellcheck={false}
        autocomplete="off"
        onInput={(event) => setFilter({ ...filter, [name]: event.currentTarget.value })}
      />
    </label>
  );
  return (
    <section id="tail" aria-labelledby="tail-title" tabIndex={-1}>
      <h2 id="tail-title">
        Live tail{" "}
        <span class="sum">{on ? (connected ? "following" : "connecting…") : rows.length > 0 ? "paused" : ""}</span>
      </h2>
      <div class="panel">
        <search class="tools" aria-label="Filter of the tail">
          <label>
            level{" "}
            <select
              value={filter.level}
              onChange={(event) => setFilter({ ...filter, level: event.currentTarget.value })}
            >
              <option value="">any</option>
              {LEVELS.map((level) => (
                <option key={level} value={level}>
                  {level}
                </option>
              ))}
            </select>
          </label>
          {field("event")}
          {field("actor")}
          {field("text")}
          <span class="grow" />
          {rows.length > 0 && (
            <button type="button" onClick={clear}>
              Clear
            </button>
          )}
          <button type="button" class="primary" aria-pressed={on} onClick={() => setOn(!on)}>
            {on ? "Pause" : "Follow"}
          </button>
        </search>
        {rows.length === 0 && (
          <p class="empty">
            {!on && "Follow shows entries as they come, behind all filters of the pipeline."}
            {on && (filtered ? "No entry has matched yet." : "No entry has come yet.")}
          </p>
        )}
        {rows.length > 0 && (
          <Scroll kind="tail" label="Entries, the newest first">
            <ol>
              {rows.map((row) => (
                <Row key={row.key} row={row} now={view.time} />
              ))}
            </ol>
          </Scroll>
        )}
        {(skipped > 0 || rows.length === KEPT_ROWS) && (
          <p class="hint">
            {skipped > 0 && `${count(skipped)} entries came too fast to be shown. `}
            {rows.length === KEPT_ROWS && `Only the last ${KEPT_ROWS} are kept here.`}
          </p>
        )}
      </div>
    </section>
  );
}

interface RowProps {
  readonly row: TailRow;
  readonly now: string;
}

/** An entry never changes, so its row is drawn once. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(): boolean {
    return false;
  }

  override render({ row: { entry }, now }: RowProps) {
    const { time, level, event, actor, tag, input, path, offset, original } = entry;
    return (
      <li>
        <details>
          <summary>
            <time dateTime={time ?? undefined}>{time === null ? "–" : clock(time, now, true)}</time>
            <span class={`level ${levelClass(level)}`}>{level === null ? "not JSON" : visible(level)}</span>
            <bdi class="event">{visible(event ?? "")}</bdi>
            <bdi class="actor">{visible(actor ?? "")}</bdi>
            <bdi class="text">{visible(original.slice(0, 400))}</bdi>
          </summary>
          <p class="facts">
            {visible(tag)} · {visible(input)}
            {path !== null && (
              <>
                {" "}
                · <bdi>{visible(path)}</bdi>, byte {count(offset)}
              </>
            )}
          </p>
          <Scroll kind="written" label="The entry as it was written">
            <pre>{visible(original)}</pre>
          </Scroll>
        </details>
      </li>
    );
  }
}

function levelClass(level: string | null): string {
  if (level === null || /^(err|crit|alert|emerg|fatal)/i.test(level)) return "bad";
  return /^warn/i.test(level) ? "warn" : "";
}
