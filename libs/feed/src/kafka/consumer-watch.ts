/** Watches a consumer: it ends by a signal, by its crash, by its silence, or because the answers of the broker take too long. */
import type { Consumer } from 'kafkajs';
import { FeedFault } from '../feed-fault.js';
import type { ConsumerPace } from './consumer-pace.js';

/** A consumer that neither beats nor fetches for so long does not work any more, whatever it says. */
const silenceMs = 60_000;
const lookMs = 1_000;

export interface Watch {
  /** Resolves when the consumer is to stop, and rejects when it can't go on. */
  over: Promise<void>;
  end: () => void;
}

export function watch(consumer: Consumer, pace: ConsumerPace, signal: AbortSignal): Watch {
  const { events } = consumer;
  const limitMs = Math.max(silenceMs, 4 * pace.settings.requestTimeoutMs);
  let looking: NodeJS.Timeout | undefined;
  const following = new AbortController();
  const over = new Promise<void>((resolve, reject) => {
    // The signal outlives many consumers, and must keep none of them.
    signal.addEventListener('abort', () => resolve(), { signal: following.signal });
    consumer.on(events.CRASH, ({ payload }) => reject(payload.error));
    let heardAt = performance.now();
    const hear = () => {
      heardAt = performance.now();
    };
    for (const sign of [events.HEARTBEAT, events.GROUP_JOIN, events.CONNECT]) consumer.on(sign, hear);
    const tooSlow = (ms: number) => {
      pace.slower();
      reject(new FeedFault('broker-too-slow', `an answer of the broker took ${Math.round(ms / 1_000)} s`));
    };
    consumer.on(events.FETCH, ({ payload: { duration } }) => {
      hear();
      if (pace.isSlow(duration)) tooSlow(duration);
    });
    consumer.on(events.REQUEST_TIMEOUT, ({ payload: { apiName, sentAt } }) => {
      if (apiName === 'Fetch') tooSlow(Date.now() - sentAt);
    });
    looking = setInterval(() => {
      const silentMs = performance.now() - heardAt;
      if (silentMs <= limitMs) return;
      reject(new FeedFault('consumer-silent', `nothing was heard of Kafka for ${limitMs / 1_000} s`));
    }, lookMs);
  });
  over.catch(() => {});
  const end = () => {
    following.abort();
    clearInterval(looking);
  };
  return { over, end };
}
