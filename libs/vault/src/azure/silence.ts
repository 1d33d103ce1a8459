/** Ends what has been silent for too long. The SDK of Azure has a limit for a whole request only, and a large one may take long. */

export interface Listening {
  /** Aborted by the caller's signal, and by silence. */
  signal: AbortSignal;
  /** Something has come or gone. */
  alive(): void;
  /** It is over. */
  end(): void;
}

export function listening(signal: AbortSignal, silentMs: number): Listening {
  const silence = new AbortController();
  const timer = setTimeout(() => silence.abort(new Error('it was silent')), silentMs);
  timer.unref();
  return {
    signal: AbortSignal.any([signal, silence.signal]),
    alive: () => void timer.refresh(),
    end: () => clearTimeout(timer),
  };
}
