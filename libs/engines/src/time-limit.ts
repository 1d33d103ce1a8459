/**
 * Ends work that takes too long. Node lets go of a signal of `AbortSignal.timeout` that only an `AbortSignal.any` knows: after the next
 * garbage collection the time is never over. This limit holds until it is reached.
 */

/**
 * @param ms how long the work may take
 * @param signal ends the work earlier, with its own reason
 * @returns a signal that is aborted by whichever comes first
 */
export function endingWithin(ms: number, signal?: AbortSignal): AbortSignal {
  if (signal?.aborted) return signal;
  const ending = new AbortController();
  const tooLong = () => ending.abort(new DOMException(`it took longer than ${ms} ms`, 'TimeoutError'));
  const timer = setTimeout(tooLong, ms).unref();
  const endEarly = () => {
    clearTimeout(timer);
    ending.abort(signal?.reason);
  };
  signal?.addEventListener('abort', endEarly, { once: true, signal: ending.signal });
  return ending.signal;
}
