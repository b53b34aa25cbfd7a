import { useEffect, useRef, useState } from "preact/hooks";
import type { HistoryView, LogView, PipelineView } from "../../agent/api/operate.ts";
import type { Api } from "./api.ts";
import { RateMeter, type Rates } from "./rates.ts";
import { type Connection, follow } from "./stream.ts";
import { Timeline } from "./timeline.ts";

export interface Model {
  readonly view: PipelineView;
  readonly rates: Rates;
  readonly timeline: Timeline;
}

export interface Agent {
  /** undefined until the agent has said something. */
  readonly model: Model | undefined;
  readonly connection: Connection;
  /** Newest first. */
  readonly log: readonly LogView[];
}

const LOG_LINES = 200;

/** What the agent says, as it says it. `refused` is called where the token is no longer good. */
export function useAgent(api: Api, refused: () => void): Agent {
  const [model, setModel] = useState<Model>();
  const [connection, setConnection] = useState<Connection>({ is: "connecting" });
  const [log, setLog] = useState<readonly LogView[]>([]);
  const parts = useRef({ meter: new RateMeter(), timeline: new Timeline() });

  useEffect(() => {
    const { meter, timeline } = parts.current;
    let ended = false;
    const took = (view: PipelineView) => {
      timeline.add(view);
      setModel({ view, rates: meter.add(view), timeline });
    };
    const begin = async () => {
      // An agent without a history has charts that begin now.
      const history = await api.get<HistoryView>("history").catch(() => undefined);
      if (!ended && history) timeline.begin(history);
    };
    const stop = follow(api, "events", {
      on: ({ event, data }) => {
        if (event === "pipeline") took(JSON.parse(data) as PipelineView);
        if (event === "log") setLog((before) => [JSON.parse(data) as LogView, ...before].slice(0, LOG_LINES));
      },
      state: (now) => {
        if (now.is === "refused") return refused();
        // Also after a gap: the agent knows what happened meanwhile.
        if (now.is === "live") void begin();
        setConnection(now);
      },
    });
    return () => {
      ended = true;
      stop();
    };
  }, [api]);
  return { model, connection, log };
}
