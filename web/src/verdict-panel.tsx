import { useRef } from "preact/hooks";
import type { PipelineView } from "../../agent/api/operate.ts";
import { clock, plural, secondsBetween, span } from "./format.ts";
import type { Mark } from "./mark.ts";
import type { Level, Problem } from "./problems.ts";
import { Sign } from "./signs.tsx";
import type { Connection } from "./stream.ts";
import type { Verdict } from "./verdict.ts";

const SIGNS: Readonly<Record<Level, Mark>> = { loss: "bad", bad: "bad", warn: "warn", busy: "busy", note: "off" };
/** What is not said here is said at the parts themselves. */
const SHOWN = 6;

interface Props {
  readonly verdict: Verdict | undefined;
  readonly view: PipelineView | undefined;
  readonly connection: Connection;
}

export function VerdictPanel({ verdict, view, connection }: Props) {
  const live = connection.is === "live";
  const mood = live && verdict ? verdict.mood : "off";
  const headline = live && verdict ? verdict.headline : withoutConnection(connection, view);
  const shown = verdict?.others.slice(0, SHOWN) ?? [];
  const hidden = (verdict?.others.length ?? 0) - shown.length;
  return (
    <section id="verdict" class={`verdict ${mood}`} aria-labelledby="headline" tabIndex={-1}>
      <Sign mark={mood} />
      <div>
        <h1 id="headline">{headline}</h1>
        {live && verdict?.anchor && (
          <p class="reason">
            {verdict.reason} <a href={`#${verdict.anchor}`}>Show me</a>
          </p>
        )}
      </div>
      <p class="unseen" aria-live="polite" data-spoken>
        {useSpoken(headline)}
      </p>
      {!live && connection.is === "lost" && <p class="reason">{connection.why}.</p>}
      {shown.length > 0 && (
        <ul class="problems" aria-label="What else there is">
          {shown.map((problem) => (
            <Line key={problem.text} problem={problem} />
          ))}
          {hidden > 0 && <li class="more">and {hidden} more</li>}
        </ul>
      )}
      {live && view && <p class="since">{sinceStart(view)}</p>}
    </section>
  );
}

function Line({ problem: { level, text, reason, anchor } }: { problem: Problem }) {
  return (
    <li class={level}>
      <Sign mark={SIGNS[level]} />
      <span>
        <a href={`#${anchor}`}>{text}</a>
        {reason && <span class="reason">: {reason}</span>}
      </span>
    </li>
  );
}

/** For those who listen: a sentence is said when it is another one, not each second because a number in it is. */
function useSpoken(sentence: string): string {
  const said = useRef(sentence);
  const kind = (text: string) => text.replace(/[\d.,:]+/g, "#");
  if (kind(sentence) !== kind(said.current)) said.current = sentence;
  return said.current;
}

/** Old numbers must not look like new ones. */
function withoutConnection(connection: Connection, view: PipelineView | undefined): string {
  if (!view) return connection.is === "lost" ? "The agent cannot be reached." : "Asking the agent…";
  return `No connection to the agent. What you see is from ${clock(view.time, view.time, true)}.`;
}

function sinceStart({ started_at, time, outputs, inputs }: PipelineView): string {
  const parts = `${plural(inputs.length, "input")}, ${plural(outputs.length, "output")}`;
  return `Running for ${span(secondsBetween(started_at, time))} · ${parts}`;
}
