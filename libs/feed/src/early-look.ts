/**
 * Takes events from the ledger that the broker has not brought within a second. A process that froze keeps its partitions until
 * the broker expels it, and a broker may be away: neither holds up the handlers. Each event is claimed in the transaction of its
 * handlers, here as in the feed, so it is handled once, whoever brings it. A consumer that is behind but goes on keeps its events.
 *
 * What can't be handled is left to the feed and to the second look, which set it aside.
 */
import type { Ledger, TailRow } from '@strongroom/ledger';
import { type Logger, type Metrics, WorkLoop } from '@strongroom/runtime';
import type { DataSource } from 'typeorm';
import { Batch } from './batch.js';
import { type Moving, movingPartitions } from './feed-offsets.js';
import { unhandledOf } from './handled-events.js';
import type { Handlers } from './handlers.js';
import type { PlaceOf } from './place-of-event.js';
import { secondLookAt, secondLookKey, secondLookOffsets } from './second-look-cursor.js';

export interface EarlyLookOptions {
  dataSource: DataSource;
  ledger: Ledger;
  log: Logger;
  metrics: Metrics;
  group: string;
  handlers: Handlers;
  placeOf: PlaceOf;
  /** How long the feed has an event for itself, in milliseconds. */
  lateMs?: number | undefined;
}

const defaultLateMs = 700;
/** With this interval an event is taken within a second and a half. Without events nobody looks. */
const lookMs = 400;
const idleLookMs = 30_000;
const windowSize = 5_000;
const batchSize = 200;

export class EarlyLook {
  private readonly loop: WorkLoop;
  private readonly batch: Batch;
  private readonly lateMs: number;
  /** Where the ledger ended, and when this process saw it first, by its steady clock. */
  private readonly heads: { position: number; atMs: number }[] = [];
  /** Where the ledger ended when it was looked at. */
  private head = 0;
  private soon: NodeJS.Timeout | undefined;
  private stopNotices: (() => Promise<void>) | undefined;
  /** Up to here every event was seen handled. */
  private checked: number | undefined;
  /** Beyond `checked`: events that were handled here, or could not be. */
  private readonly tried = new Set<number>();

  constructor(private readonly options: EarlyLookOptions) {
    const { dataSource, ledger, log, metrics, group, handlers, lateMs = defaultLateMs } = options;
    this.lateMs = lateMs;
    const taken = metrics.counter({
      name: 'strongroom_taken_events_total',
      help: 'Events that this process has handled from the ledger, because the broker or another process kept them for a second, by type.',
      labels: ['type'],
    });
    this.batch = new Batch(
      {
        ...{ dataSource, ledger, log, handlers },
        deadLetters: { hasRoom: async () => true, setAside: async () => {} },
        metrics: {
          handled: (_, events) => {
            for (const { type } of events) taken.inc({ type });
            const [first] = events;
            if (!first) return;
            const place = { events: events.length, position: first.position };
            log.info(place, 'events handled from the ledger: the broker or another process has kept them for a second');
          },
          setAside: () => {},
          unrecorded: () => {},
          altered: () => {},
          newer: () => {},
        },
        publishDeadLetter: async () => {},
        // Looks of a group take turns at the row of its second look, and leave it as it is.
        offsets: { lock: secondLookOffsets.lock, move: async () => {} },
      },
      secondLookKey(group),
    );
    this.loop = new WorkLoop({
      name: 'early look',
      intervalMs: idleLookMs,
      log,
      pass: async () => {
        const next = await this.look();
        if (next === 'done' && (this.checked ?? 0) < this.head) this.lookSoon();
        return next;
      },
    });
  }

  async start(): Promise<void> {
    this.loop.start();
    this.stopNotices = await this.options.ledger.onAppend(() => this.lookSoon());
  }

  async stop(): Promise<void> {
    await this.stopNotices?.();
    await this.loop.stop();
    clearTimeout(this.soon);
  }

  private lookSoon(): void {
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      this.loop.wake();
    }, lookMs);
  }

  /** Handles the events that are late, some at a time. */
  async look(): Promise<'again' | 'done'> {
    const { ledger, dataSource, group } = this.options;
    const head = await ledger.head();
    this.head = head;
    const horizon = this.passed(head);
    // A standby that has taken over may lack the newest events, and gives their positions to others.
    if (this.checked === undefined || this.checked > head) {
      this.checked = Math.min(await secondLookAt(dataSource, group), head);
      this.tried.clear();
    }
    if (horizon <= this.checked) return 'done';
    const window = await ledger.positionsBetween(this.checked, horizon, windowSize);
    const end = window.length < windowSize ? horizon : (window.at(-1)?.position ?? horizon);
    const late = await this.unhandled(window);
    const [first] = late;
    this.moveTo(first === undefined ? end : first - 1);
    if (first === undefined) return end < horizon ? 'again' : 'done';
    const kept = await this.keptFrom(await ledger.eventsAt(late.slice(0, batchSize)));
    if (kept.length === 0) return 'done';
    await this.handle(kept);
    return 'again';
  }

  private async unhandled(window: readonly { position: number; type: string }[]): Promise<number[]> {
    const { dataSource, group, handlers } = this.options;
    const { types } = handlers;
    const own = window.filter(({ position, type }) => types.has(type) && !this.tried.has(position));
    if (own.length === 0) return [];
    return unhandledOf(
      dataSource,
      group,
      own.map(({ position }) => position),
    );
  }

  /** Those of the events whose partition does not move. A consumer that is behind brings the others. */
  private async keptFrom(rows: readonly TailRow[]): Promise<TailRow[]> {
    const moving = await movingPartitions(this.options.dataSource, this.options.group);
    return rows.filter((row) => !this.isMoving(row, moving));
  }

  private isMoving(row: TailRow, moving: readonly Moving[]): boolean {
    const { placeOf } = this.options;
    return moving.some(({ topic, partition, partitions }) => {
      const place = placeOf(row, partitions);
      return topic === place.topic && (place.partition === undefined || partition === place.partition);
    });
  }

  private async handle(rows: readonly TailRow[]): Promise<void> {
    const { topic, partition } = secondLookKey(this.options.group);
    await this.batch.handle(
      rows.map(({ position, event: value }) => ({
        ...{ topic, partition, position, value, headers: {} },
        offset: BigInt(position),
      })),
      undefined,
    );
    for (const { position } of rows) this.tried.add(position);
  }

  /** The position where the ledger ended as long ago as the feed has for itself. */
  private passed(head: number): number {
    const now = performance.now();
    while ((this.heads.at(-1)?.position ?? 0) > head) this.heads.pop();
    if (head !== this.heads.at(-1)?.position) this.heads.push({ position: head, atMs: now });
    while (this.heads.length > 1 && (this.heads[1]?.atMs ?? now) <= now - this.lateMs) this.heads.shift();
    const [oldest] = this.heads;
    return oldest && oldest.atMs <= now - this.lateMs ? oldest.position : 0;
  }

  private moveTo(position: number): void {
    this.checked = position;
    for (const each of this.tried) if (each <= position) this.tried.delete(each);
  }
}
