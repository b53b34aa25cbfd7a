/** What the process is told from outside. */
import { systemClock } from "../api/clock.ts";
import { EXIT } from "./context.ts";

export interface Signals {
  /** Resolves when it is asked to stop. */
  readonly asked: Promise<void>;
  close(): void;
}

// Ctrl-C under npm arrives twice: from the terminal, and passed on by npm.
const SAME_SIGNAL_MS = 500;
const STOPPING = ["SIGTERM", "SIGINT"] as const;

export function listenForSignals(say: (message: string) => void, reload: () => void): Signals {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  let first: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    const now = systemClock.monotonic();
    if (first !== undefined && now - first < SAME_SIGNAL_MS) return;
    if (first !== undefined) process.exit(EXIT.failed);
    first = now;
    say(`${signal}: stopping; once more to stop at once`);
    resolve();
  };
  // A terminal that closes ends what it started; from anybody else the signal means "reload", and must not end the agent.
  const onHangUp = () => {
    if (process.stdin.isTTY) onSignal("SIGHUP");
    else reload();
  };
  for (const signal of STOPPING) process.on(signal, onSignal);
  process.on("SIGHUP", onHangUp);
  return {
    asked,
    close() {
      process.off("SIGHUP", onHangUp);
      for (const signal of STOPPING) process.off(signal, onSignal);
    },
  };
}

/** Waiting for files and signals alone does not keep a process alive. */
export function keepAwake(): { release(): void } {
  let timer: NodeJS.Timeout;
  const again = () => {
    timer = setTimeout(again, 3_600_000);
  };
  again();
  return { release: () => clearTimeout(timer) };
}
