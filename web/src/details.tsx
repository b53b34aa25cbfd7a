/** All there is to say of one part, and what can be done with it. */

import type { ComponentChildren } from "preact";
import type { FilterView, InputView, OutputView, PauseDone } from "../../agent/api/operate.ts";
import { useAct } from "./actions.tsx";
import type { Api } from "./api.ts";
import { bytes, clock, count, entries, span } from "./format.ts";
import { inputMark, type Marked, markOf, outputMark } from "./mark.ts";
import { Modal } from "./modal.tsx";
import { State } from "./signs.tsx";
import { visible } from "./text.ts";
import type { Model } from "./use-agent.ts";

export interface Subject {
  readonly kind: "input" | "filter" | "output";
  readonly alias: string;
}

interface Props {
  readonly api: Api;
  readonly model: Model;
  readonly subject: Subject;
  readonly close: () => void;
}

export function Details({ api, model: { view }, subject: { kind, alias }, close }: Props) {
  const named = <T extends { readonly alias: string }>(parts: readonly T[]) =>
    parts.find((part) => part.alias === alias);
  const input = kind === "input" ? named(view.inputs) : undefined;
  const filter = kind === "filter" ? named(view.filters) : undefined;
  const output = kind === "output" ? named(view.outputs) : undefined;
  const part = input ?? filter ?? output;
  const marked = input ? inputMark(input) : output ? outputMark(output) : filter && markOf(filter);
  return (
    <Modal kind="details" titled="details-title" close={close}>
      <h2 id="details-title">
        {kind} <bdi>{alias}</bdi>
      </h2>
      {!part && <p class="empty">It is no longer configured.</p>}
      {part && marked && <Standing part={part} marked={marked} now={view.time} />}
      {input && <InputFacts input={input} />}
      {filter && <FilterFacts filter={filter} />}
      {output && <OutputFacts output={output} now={view.time} />}
      <div class="buttons">
        {output && <PauseButton api={api} output={output} close={close} />}
        <button type="button" autofocus onClick={close}>
          Close
        </button>
      </div>
    </Modal>
  );
}

function Standing({ part, marked, now }: { part: InputView | FilterView | OutputView; marked: Marked; now: string }) {
  return (
    <p class="standing">
      <State marked={marked} /> since <time dateTime={part.since}>{clock(part.since, now)}</time>
      {part.reason !== null && <span class="said">{visible(part.reason)}</span>}
    </p>
  );
}

function Facts({ facts }: { facts: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function InputFacts({ input: { plugin, tag, read, lag, files } }: { input: InputView }) {
  return (
    <>
      <Facts
        facts={[
          ["Plugin", plugin],
          ["Tag", tag],
          ["Read", `${entries(read.records)}, ${bytes(read.bytes)}`],
          ["Behind", lag.bytes === 0 ? "up to date" : `${bytes(lag.bytes)}, ${span(lag.seconds)}`],
          ["Files", count(lag.files)],
        ]}
      />
      {files.length > 0 && (
        <table class="stacking">
          <caption>
            {lag.files > files.length ? `Those furthest behind, ${files.length} of ${count(lag.files)}` : "Files"}
          </caption>
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col" class="number">
                size
              </th>
              <th scope="col" class="number">
                to read
              </th>
              <th scope="col" class="number">
                for
              </th>
            </tr>
          </thead>
          <tbody>
            {files.map((file) => (
              <tr key={`${file.path} ${file.deleted}`}>
                <th scope="row">
                  <bdi>{visible(file.path)}</bdi>
                  {file.deleted && <span class="tag">deleted, held open</span>}
                </th>
                <td data-label="size" class="number">
                  {bytes(file.size)}
                </td>
                <td data-label="to read" class={file.lag_bytes === 0 ? "number nil" : "number"}>
                  {bytes(file.lag_bytes)}
                </td>
                <td data-label="for" class={file.lag_bytes === 0 ? "number nil" : "number"}>
                  {file.lag_bytes === 0 ? "–" : span(file.lag_seconds)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

function FilterFacts({ filter: { plugin, match, filtered, created, chains } }: { filter: FilterView }) {
  return (
    <Facts
      facts={[
        ["Plugin", plugin],
        ["Match", match.join(", ")],
        ["Dropped", entries(filtered)],
        ["Made", entries(created)],
        ...(chains
          ? ([
              ["Chains", count(chains.count)],
              ["Verified", entries(chains.verified)],
              ["Breaks", count(chains.breaks)],
            ] as const)
          : []),
      ]}
    />
  );
}

function OutputFacts({ output, now }: { output: OutputView; now: string }) {
  const {
    plugin,
    match,
    guarantee,
    backlog,
    in_flight: inFlight,
    delivered_bytes,
    retries,
    last_progress: last,
  } = output;
  return (
    <Facts
      facts={[
        ["Plugin", plugin],
        ["Match", match.join(", ")],
        ["Guarantee", guarantee],
        ["Waiting", backlog.records === 0 ? "nothing" : `${entries(backlog.records)}, ${bytes(backlog.bytes)}`],
        ["The oldest", backlog.records === 0 ? "–" : span(backlog.oldest_seconds)],
        ["In flight", entries(inFlight)],
        ["Delivered", `${entries(output.ledger.delivered)}; ${bytes(delivered_bytes)} since the start`],
        ["Retries", count(retries)],
        ["Last progress", last === null ? "none yet" : <time dateTime={last}>{clock(last, now, true)}</time>],
      ]}
    />
  );
}

function PauseButton({ api, output, close }: { api: Api; output: OutputView; close: () => void }) {
  const { alias, paused } = output;
  const act = useAct();
  const ask = () => {
    // What comes of it is said on the page, which nobody can reach while the dialog is open.
    close();
    return act.run(async () => {
      const done = await api.post<PauseDone>(`outputs/${encodeURIComponent(alias)}/${paused ? "resume" : "pause"}`);
      return done.paused ? `${alias} is paused; what comes waits in the queue.` : `${alias} goes on.`;
    });
  };
  return (
    <button type="button" class={paused ? "primary" : undefined} onClick={ask}>
      {paused ? "Resume" : "Pause"}
    </button>
  );
}
