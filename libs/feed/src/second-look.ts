/**
 * Looks at every event again that has been in the ledger for longer than a feed needs. It handles the events that the feed has
 * not handled, no matter what the broker and the offsets say. Each event is looked at once, so the cost does not grow with the
 * history. The handlers tolerate it when the feed brings such an event later.
 *
 * How long an event has been there is measured by the steady clock of the process, from the time when the ledger ended there.
 * The ledger's own clock may be wrong.
 */
import type { Ledger } from '@strongroom/ledger';
import { type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { Batch } from './batch.js';
import type { DeadLetters } from './dead-letters.js';
import { type PartitionKey, takeBackBeyondEnd } from './feed-offsets.js';
import { forgetHandled, unhandledOf } from './handled-events.js';
import type { Handlers } from './handlers.js';
import {
  lockSecondLook,
  moveSecondLook,
  secondLookAt,
  secondLookKey,
  secondLookOffsets,
} from './second-look-cursor.js';

export interface SecondLookOptions {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  metrics: Metrics;
  group: string;
  handlers: Handlers;
  deadLetters: DeadLetters;
  /** How long a feed may take to bring an event, a restart of the broker included, in milliseconds. */
  feedTakesMs?: number | undefined;
  /** A clock in milliseconds that only rises. It may begin at any value. */
  elapsedMs?: () => number;
}

const defaultFeedTakesMs = 300_000;
const mostLookMs = 15_000;
/** How many events are looked at in one pass. The lost ones among them are handled in one transaction. */
const windowSize = 5_000;
const batchSize = 100;
/** How many events a gauge looks at. */
const mostCounted = 20_000;

export class SecondLook {
  private readonly loop: WorkLoop;
  private readonly key: PartitionKey;
  private readonly batch: Batch;
  private readonly feedTakesMs: number;
  private readonly elapsedMs: () => number;
  private readonly heads: { position: number; atMs: number }[] = [];
  private horizon = 0;
  /** Where the look of the group was when it was asked for. Other processes of the group move it too. */
  private looked = 0;

  constructor(private readonly options: SecondLookOptions) {
    const { dataSource, ledger, log, metrics, group, handlers, deadLetters, feedTakesMs, elapsedMs } = options;
    this.feedTakesMs = feedTakesMs ?? defaultFeedTakesMs;
    this.elapsedMs = elapsedMs ?? (() => performance.now());
    this.key = secondLookKey(group);
    const found = metrics.counter({
      name: 'strongroom_lost_messages_total',
      help: 'Events that the feed had not handled in time and the second look did, by type; or could not, and set aside, or passed over as of a newer version.',
      labels: ['type', 'outcome'],
    });
    this.batch = new Batch(
      {
        dataSource,
        ledger,
        log,
        handlers,
        deadLetters: {
          hasRoom: async () => true,
          setAside: (manager, key, message, error) => deadLetters.setAsideOnce(manager, key, message, error),
        },
        metrics: {
          handled: (_, events) => {
            for (const { type, id, position } of events) {
              found.inc({ type, outcome: 'handled' });
              log.warn(
                { type, eventId: id, position },
                'event handled by the second look: its message was lost or is late',
              );
            }
          },
          setAside: () => found.inc({ type: 'any', outcome: 'set-aside' }),
          unrecorded: () => {},
          altered: () => {},
          newer: () => found.inc({ type: 'any', outcome: 'newer' }),
        },
        publishDeadLetter: async () => {},
        offsets: secondLookOffsets,
      },
      this.key,
    );
    this.loop = new WorkLoop({
      name: 'second look',
      intervalMs: Math.max(50, Math.min(mostLookMs, this.feedTakesMs / 4)),
      log,
      pass: () => this.handleMissed(),
    });
    metrics.gauge({
      name: 'strongroom_unhandled_events',
      help: `Events in the ledger that this group has not handled, whatever its offsets say, by type; of the oldest ${mostCounted} that no second look has passed.`,
      labels: ['type'],
      measure: async (gauge) => {
        gauge.reset();
        for (const [type, count] of await this.unhandled()) gauge.set({ type }, count);
      },
    });
    metrics.gauge({
      name: 'strongroom_second_look_behind_events',
      help: `Events that are due for the second look and have not had it, counted up to ${mostCounted}.`,
      measure: async (gauge) => {
        const due = await ledger.positionsBetween(await secondLookAt(dataSource, group), this.horizon, mostCounted);
        gauge.set(due.length);
      },
    });
  }

  start(): void {
    this.loop.start();
  }

  stop(): Promise<void> {
    return this.loop.stop();
  }

  /** Handles what is missing among the next events. */
  async handleMissed(): Promise<'again' | 'done'> {
    const { ledger, dataSource, group, deadLetters } = this.options;
    const { topics, head } = await takeBackBeyondEnd(dataSource, group);
    if (topics.length > 0) this.options.log.warn({ topics }, 'offsets lay beyond the end of the ledger: taken back');
    if (head < (this.heads.at(-1)?.position ?? 0)) this.looked = 0;
    this.horizon = this.passed(head);
    if (this.horizon <= this.looked) return 'done';
    const cursor = await secondLookAt(dataSource, group);
    this.looked = cursor;
    if (this.horizon <= cursor) return 'done';
    const window = await ledger.positionsBetween(cursor, this.horizon, windowSize);
    const lost = await unhandledOf(dataSource, group, this.own(window));
    const now = lost.slice(0, batchSize);
    if (now.length > 0) {
      const rows = await ledger.eventsAt(now);
      const { topic, partition } = this.key;
      await this.batch.handle(
        rows.map(({ position, event: value }) => ({
          topic,
          partition,
          offset: BigInt(position),
          position,
          value,
          headers: {},
        })),
        undefined,
      );
      await deadLetters.handledAfterAll(rows);
    }
    const isWhole = now.length === lost.length;
    const end =
      isWhole && window.length < windowSize ? this.horizon : ((isWhole ? window.at(-1)?.position : now.at(-1)) ?? 0);
    await this.moveTo(end);
    return end < this.horizon ? 'again' : 'done';
  }

  /** How many of the newest events are not handled, by type. Events that are on their way are counted too. */
  private async unhandled(): Promise<Map<string, number>> {
    const { ledger, dataSource, group, handlers } = this.options;
    const places = await ledger.positionsBetween(
      await secondLookAt(dataSource, group),
      Number.MAX_SAFE_INTEGER,
      mostCounted,
    );
    const lost = new Set(await unhandledOf(dataSource, group, this.own(places)));
    const counts = new Map<string, number>([...handlers.types].map((type) => [type, 0]));
    for (const { position, type } of places) if (lost.has(position)) counts.set(type, (counts.get(type) ?? 0) + 1);
    return counts;
  }

  /** The positions of events that have a handler here. */
  private own(places: readonly { position: number; type: string }[]): number[] {
    const { types } = this.options.handlers;
    return places.filter(({ type }) => types.has(type)).map(({ position }) => position);
  }

  /** The position where the ledger ended as long ago as a feed may take. */
  private passed(head: number): number {
    const now = this.elapsedMs();
    // A standby that has taken over may lack the newest events, and gives their positions to others.
    while ((this.heads.at(-1)?.position ?? 0) > head) this.heads.pop();
    this.horizon = Math.min(this.horizon, head);
    if (head !== this.heads.at(-1)?.position) this.heads.push({ position: head, atMs: now });
    while (this.heads.length > 1 && (this.heads[1]?.atMs ?? now) <= now - this.feedTakesMs) this.heads.shift();
    const [oldest] = this.heads;
    return oldest && oldest.atMs <= now - this.feedTakesMs ? oldest.position : this.horizon;
  }

  private async moveTo(end: number): Promise<void> {
    const { dataSource, group } = this.options;
    await dataSource.transaction(async (manager) => {
      const { position } = await lockSecondLook(manager, this.key.group);
      if (end <= position) return;
      await moveSecondLook(manager, this.key.group, { offset: BigInt(end), position: end });
      await forgetHandled(manager, group, end);
    });
  }
}
