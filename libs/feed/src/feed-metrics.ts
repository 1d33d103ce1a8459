/** The metrics of a feed with handlers, which are the same with Kafka and without it. */
import type { RecordedEvent } from '@strongroom/contracts';
import type { Clock, Metrics } from '@strongroom/runtime';
import type { DeadLetters } from './dead-letters.js';

/** What is wrong with a message whose event the ledger has: its content, or the partition that it lies in. */
export type Altered = 'content' | 'place';

export interface FeedMetricsOptions {
  metrics: Metrics;
  clock: Clock;
  deadLetters: DeadLetters;
  /** How many events are not handled yet, by topic. */
  behind(): Promise<Map<string, number>>;
}

export class FeedMetrics {
  private readonly events;
  private readonly delay;
  private readonly alterations;

  constructor(private readonly options: FeedMetricsOptions) {
    const { metrics, deadLetters, behind } = options;
    this.events = metrics.counter({
      name: 'strongroom_feed_events_total',
      help: 'Messages that this process is done with, by topic and outcome: handled, set aside as dead letters, not in the ledger, of a newer version, or gone from the topic before they were read.',
      labels: ['topic', 'outcome'],
    });
    this.delay = metrics.histogram({
      name: 'strongroom_feed_delay_seconds',
      help: 'From the append of an event to the commit of what its handlers wrote, by topic.',
      labels: ['topic'],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 300, 3_600],
    });
    this.alterations = metrics.counter({
      name: 'strongroom_altered_messages_total',
      help: 'Messages of recorded events whose content is not that of the ledger, or whose place is not that of their event, by topic and by what is wrong. The event of the ledger was handled.',
      labels: ['topic', 'what'],
    });
    metrics.gauge({
      name: 'strongroom_feed_lag_events',
      help: 'Events that this group has not handled yet, by topic.',
      labels: ['topic'],
      measure: async (gauge) => {
        for (const [topic, events] of await behind()) gauge.set({ topic }, events);
      },
    });
    metrics.gauge({
      name: 'strongroom_dead_letters',
      help: 'Messages set aside by this group and not replayed.',
      measure: async (gauge) => gauge.set(await deadLetters.waiting()),
    });
  }

  handled(topic: string, events: readonly RecordedEvent[]): void {
    if (events.length === 0) return;
    const now = this.options.clock.now().getTime();
    this.events.inc({ topic, outcome: 'handled' }, events.length);
    for (const { at } of events) this.delay.observe({ topic }, Math.max(0, now - Date.parse(at)) / 1_000);
  }

  setAside(topic: string): void {
    this.events.inc({ topic, outcome: 'set-aside' });
  }

  unrecorded(topic: string): void {
    this.events.inc({ topic, outcome: 'not-in-the-ledger' });
  }

  newer(topic: string): void {
    this.events.inc({ topic, outcome: 'newer' });
  }

  altered(topic: string, what: Altered): void {
    this.alterations.inc({ topic, what });
  }

  gone(topic: string, messages: number): void {
    this.events.inc({ topic, outcome: 'gone' }, messages);
  }
}
