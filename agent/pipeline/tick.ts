/** Calls `work` about every so many milliseconds, never twice at once, until it is stopped. */
export function tickEvery(ms: number, work: () => Promise<void>, complain: (error: unknown) => void): { stop(): void } {
  let stopped = false;
  let timer: NodeJS.Timeout;
  const turn = async () => {
    try {
      await work();
    } catch (error) {
      if (!stopped) complain(error);
    }
    next();
  };
  const next = () => {
    if (stopped) return;
    timer = setTimeout(() => void turn(), ms);
    timer.unref();
  };
  next();
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
