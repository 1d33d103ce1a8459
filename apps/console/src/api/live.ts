/** The account's events as they happen. The browser reconnects by itself, and goes on after the last event that it has seen. */
import type { EventResource } from '@strongroom/contracts';
import { urlOf } from './call.js';
import { eventTypes, getEvents } from './operations.js';

export interface Listener {
  event(event: EventResource): void;
  /** Everything may have changed: events were missed, or the ledger was put back. */
  reset(): void;
  /** Whether events come. */
  live(isLive: boolean): void;
}

/** A stream that the service refused is asked for again after this time. */
const againMs = 10_000;

/** @returns what ends it */
export function listen(accountId: string, listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let wasRefused = false;
  const open = () => {
    source = new EventSource(urlOf(getEvents, { accountId }));
    source.onopen = () => {
      listener.live(true);
      if (wasRefused) listener.reset();
      wasRefused = false;
    };
    source.onerror = () => {
      listener.live(false);
      if (source?.readyState !== EventSource.CLOSED) return;
      wasRefused = true;
      timer = setTimeout(open, againMs);
    };
    source.addEventListener('reset', () => listener.reset());
    for (const type of eventTypes) {
      source.addEventListener(type, ({ data }: MessageEvent<string>) => listener.event(JSON.parse(data)));
    }
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
