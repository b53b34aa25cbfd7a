import { useEffect, useRef, useState } from "preact/hooks";
import type { EntryView, SkippedView } from "../../agent/api/operate.ts";
import type { Api } from "./api.ts";
import { follow } from "./stream.ts";
import { type TailFilter, type TailRow, TailRows, tailPath } from "./tail-rows.ts";

/** Between two drawings: fast enough to look live, slow enough to read. */
const DRAW_MS = 250;
/** So that not every letter typed is a new connection. */
const TYPING_MS = 350;

interface TailState {
  readonly rows: readonly TailRow[];
  readonly skipped: number;
  readonly connected: boolean;
  readonly clear: () => void;
}

/** Entries as they come, while they are wanted and the page is looked at: nobody should pay for a tail in a hidden tab. */
export function useTail(api: Api, filter: TailFilter, wanted: boolean, refused: () => void): TailState {
  const kept = useRef(new TailRows());
  const [, drawn] = useState(0);
  const [connected, setConnected] = useState(false);
  const visible = usePageVisible();
  const path = tailPath(filter);

  useEffect(() => {
    if (!wanted || !visible) return;
    const rows = kept.current;
    let stop = () => {};
    const start = setTimeout(() => {
      stop = follow(api, path, {
        on: ({ event, data }) => {
          if (event === "entry") rows.add(JSON.parse(data) as EntryView);
          if (event === "skipped") rows.skip((JSON.parse(data) as SkippedView).entries);
        },
        state: (connection) => {
          if (connection.is === "refused") return refused();
          setConnected(connection.is === "live");
        },
      });
    }, TYPING_MS);
    let timer: ReturnType<typeof setTimeout>;
    const draw = () => {
      if (rows.take()) drawn((n) => n + 1);
      timer = setTimeout(draw, DRAW_MS);
    };
    draw();
    return () => {
      clearTimeout(start);
      clearTimeout(timer);
      stop();
      setConnected(false);
    };
  }, [api, path, wanted, visible]);
  // What matched another filter would be taken for what matches this one.
  useEffect(() => {
    kept.current.clear();
    drawn((n) => n + 1);
  }, [path]);

  const clear = () => {
    kept.current.clear();
    drawn((n) => n + 1);
  };
  return { rows: kept.current.rows, skipped: kept.current.skipped, connected, clear };
}

function usePageVisible(): boolean {
  const [visible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const changed = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return visible;
}
