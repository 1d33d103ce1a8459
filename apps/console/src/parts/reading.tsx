/** What a screen reads for itself, beside what is known of the account. */
import { useEffect, useState } from 'preact/hooks';
import { messageOf } from '../api/call.js';

export interface Read<T> {
  /** Null until it was read for the first time. */
  value: T | null;
  problem: string | null;
}

/** What changes close together is read for together. */
const togetherMs = 250;

/**
 * Reads when the screen is shown, and again soon after `when` has changed. What was read stays shown meanwhile.
 * @param everyMs it is read again after this time, while somebody looks: of what it tells there are no events
 */
export function useRead<T>(read: () => Promise<T>, when: readonly unknown[], everyMs?: number): Read<T> {
  const [state, setState] = useState<Read<T>>({ value: null, problem: null });
  useEffect(() => {
    let isOver = false;
    let timer: ReturnType<typeof setTimeout>;
    const begin = async () => {
      if (everyMs === undefined || !document.hidden) {
        await read().then(
          (value) => !isOver && setState({ value, problem: null }),
          (error: unknown) => !isOver && setState((before) => ({ ...before, problem: messageOf(error) })),
        );
      }
      if (everyMs !== undefined && !isOver) timer = setTimeout(() => void begin(), everyMs);
    };
    timer = setTimeout(() => void begin(), state.value === null ? 0 : togetherMs);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, when);
  return state;
}

export function Problem({ of }: { of: string | null }) {
  return (
    <p role="alert" class="problem">
      {of}
    </p>
  );
}
