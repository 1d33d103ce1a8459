/** A timer for long times. Node's own act at once when they are to take longer than 24 days, and an operator may allow a year. */

const longestTimerMs = 2_147_483_647;

/**
 * Acts once, when so much time is over.
 * @param ms in milliseconds
 * @returns stops the waiting
 */
export function afterMs(ms: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const wait = (leftMs: number) => {
    const thisMs = Math.min(leftMs, longestTimerMs);
    timer = setTimeout(() => (leftMs > thisMs ? wait(leftMs - thisMs) : act()), thisMs);
  };
  wait(ms);
  return () => clearTimeout(timer);
}
