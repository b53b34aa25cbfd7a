import type { LogView } from "../../agent/api/operate.ts";
import { clock } from "./format.ts";
import type { Mark } from "./mark.ts";
import { Scroll } from "./scroll.tsx";
import { State } from "./signs.tsx";
import { visible } from "./text.ts";

const MARKS: Readonly<Record<LogView["level"], Mark>> = { info: "off", warn: "warn", error: "bad" };

/** The agent's own log since this page was opened. */
export function AgentLog({ log, now }: { log: readonly LogView[]; now: string }) {
  return (
    <section id="log" aria-labelledby="log-title">
      <h2 id="log-title">
        The agent’s log <span class="sum">since you opened this page</span>
      </h2>
      <div class="panel">
        {log.length === 0 ? (
          <p class="empty">Nothing so far.</p>
        ) : (
          <Scroll kind="log" label="Log lines, the newest first">
            <ul>
              {log.map((line, i) => (
                <li key={log.length - i}>
                  <time dateTime={line.time}>{clock(line.time, now, true)}</time>
                  <State marked={{ mark: MARKS[line.level], word: line.level }} />
                  <bdi class="text">
                    <b>{visible(line.component)}</b> {visible(line.message)}
                  </bdi>
                </li>
              ))}
            </ul>
          </Scroll>
        )}
      </div>
    </section>
  );
}
