/** Keeps messages that could not be handled. They are set aside so that their partition goes on, and can be replayed. */
import { parseEvent } from '@strongroom/contracts';
import { isOutageForAll, type Ledger } from '@strongroom/ledger';
import type { Ids, Logger } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import { FeedContext } from './feed-context.js';
import { type FeedMessage, readMessage } from './feed-message.js';
import type { PartitionKey } from './feed-offsets.js';
import { recordHandled, unhandledOf } from './handled-events.js';
import type { Handlers } from './handlers.js';

/** PostgreSQL keeps at most 256 MB in one value of jsonb. */
const mostCharacters = 16_000_000;
const keptCharacters = 100_000;
/** While so many letters wait, no more are kept of messages that tell no event of the ledger: they could fill the database. */
const mostOfStrangers = 1_000;

/** Letters that were replayed are kept for so long, because an operator may still want to read them. */
const keptAfterReplay = `interval '30 days'`;
const mostForgotten = 1_000;
const forgettingMs = 600_000;

const asked = z.array(z.object({ id: z.string(), topic: z.string(), partition: z.int(), message: z.unknown() }));
/** An operator may have changed it by hand. */
const kept = z.object({ value: z.unknown(), headers: z.record(z.string(), z.string()).default({}) });

export class DeadLetters {
  private forgotAt = Number.NEGATIVE_INFINITY;
  private isFull = false;

  constructor(
    private readonly dataSource: DataSource,
    private readonly group: string,
    private readonly ids: Ids,
    private readonly log: Logger,
  ) {}

  /** Whether a letter is still kept of a message that tells no event of the ledger. */
  async hasRoom(): Promise<boolean> {
    const found: unknown = await this.dataSource.query(
      `select count(*)::int as letters from (
         select from dead_letter where consumer_group = $1 and replayed_at is null limit ${mostOfStrangers}
       ) as waiting`,
      [this.group],
    );
    const wasFull = this.isFull;
    this.isFull = countIn(found) >= mostOfStrangers;
    if (this.isFull && !wasFull) {
      this.log.error(
        `${mostOfStrangers} messages are set aside in table dead_letter: more of them that tell no event of the ledger are only counted. Somebody else writes to the broker`,
      );
    }
    return !this.isFull;
  }

  /**
   * Sets a message aside, within the transaction that moves the offset beyond it.
   * @param isWhole whether all of it is kept, as far as a row takes it. Default: it is
   */
  async setAside(
    manager: EntityManager,
    key: PartitionKey,
    message: FeedMessage,
    error: unknown,
    isWhole = true,
  ): Promise<void> {
    const why = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const { offset, position } = message;
    await manager.query(
      `insert into dead_letter (id, consumer_group, source, topic, partition, "offset", position, message, error)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       on conflict (consumer_group, source, topic, partition, "offset") do nothing`,
      [
        this.ids.next(),
        key.group,
        key.source,
        key.topic,
        key.partition,
        offset.toString(),
        position ?? null,
        textOf(message, isWhole ? mostCharacters : keptCharacters),
        why.replaceAll('\u0000', '\ufffd').slice(0, 10_000),
      ],
    );
    this.log.error(
      { err: error, topic: key.topic, partition: key.partition, offset: offset.toString(), position },
      'message set aside: see `strongroom dead-letters list`, mend the cause, then have it replayed',
    );
  }

  /** As `setAside`, unless a letter of the same event is kept already, from any partition. */
  async setAsideOnce(manager: EntityManager, key: PartitionKey, message: FeedMessage, error: unknown): Promise<void> {
    const found: unknown = await manager.query(
      'select id from dead_letter where consumer_group = $1 and position = $2 and replayed_at is null limit 1',
      [key.group, message.position ?? null],
    );
    if (z.array(z.unknown()).parse(found).length === 0) await this.setAside(manager, key, message, error);
  }

  /** Letters of events that have been handled since need no replay. The place that a letter tells is not trusted. */
  async handledAfterAll(events: readonly { position: number; id: string }[]): Promise<void> {
    await this.dataSource.query(
      `update dead_letter l set replayed_at = now()
       from unnest($2::bigint[], $3::text[]) as handled(position, id)
       where l.consumer_group = $1 and l.replayed_at is null and l.position = handled.position
         and strpos(l.message::text, handled.id) > 0
         and exists (select from feed_handled h where h.consumer_group = $1 and h.position = handled.position)`,
      [this.group, events.map(({ position }) => position), events.map(({ id }) => id)],
    );
  }

  /** What is to be done every few seconds: replays letters that were asked for, and now and then forgets those of long ago. */
  async tend(handlers: Handlers, ledger: Ledger): Promise<void> {
    await this.replayAsked(handlers, ledger);
    if (performance.now() - this.forgotAt < forgettingMs) return;
    await this.forgetReplayed();
    this.forgotAt = performance.now();
  }

  /** Forgets some letters of the group that were replayed long ago. */
  async forgetReplayed(): Promise<void> {
    await this.dataSource.query(
      `delete from dead_letter where id in (
         select id from dead_letter where consumer_group = $1 and replayed_at < now() - ${keptAfterReplay}
         limit ${mostForgotten} for update skip locked)`,
      [this.group],
    );
  }

  /** Handles the group's letters that an operator has marked for replay. Only the ledger says which event a letter has. */
  async replayAsked(handlers: Handlers, ledger: Ledger): Promise<void> {
    const found: unknown = await this.dataSource.query(
      `select id, topic, partition, message from dead_letter
       where consumer_group = $1 and replay_asked_at is not null and replayed_at is null order by set_aside_at limit 100`,
      [this.group],
    );
    for (const letter of asked.parse(found)) {
      const { id } = letter;
      try {
        await this.dataSource.transaction((manager) => this.replay(manager, handlers, ledger, letter));
        this.log.info({ deadLetter: id }, 'dead letter replayed');
      } catch (error) {
        // The mark stays, and the letter is replayed when the database is back.
        if (isOutageForAll(error)) throw error;
        await this.dataSource.query('update dead_letter set replay_asked_at = null where id = $1', [id]);
        this.log.error(
          { err: error, deadLetter: id },
          'dead letter failed again; ask for its replay anew when the cause is mended',
        );
      }
    }
  }

  private async replay(
    manager: EntityManager,
    handlers: Handlers,
    ledger: Ledger,
    { id, topic, partition, message }: z.infer<typeof asked>[number],
  ): Promise<void> {
    const read = readMessage({ ...kept.parse(message), topic, partition, offset: 0n, position: undefined });
    if (!read.place) throw read.problem;
    const { place } = read;
    const taken: unknown = await manager.query(
      'select id from dead_letter where id = $1 and replayed_at is null for update skip locked',
      [id],
    );
    if (z.array(z.unknown()).parse(taken).length === 0) return;
    const [row] = await ledger.eventsAt([place.position], manager);
    if (row?.id !== place.id) {
      throw new Error(
        `the ledger has no event ${place.id} at position ${place.position}: it was restored since, or a stranger wrote it`,
      );
    }
    const event = parseEvent(row.event);
    if ((await unhandledOf(manager, this.group, [event.position])).length > 0) {
      const context = new FeedContext(manager, topic, partition, event.position);
      await handlers.handleTogether([event], context);
      await handlers.handle(event, context);
      await recordHandled(manager, this.group, [event.position]);
    }
    await manager.query('update dead_letter set replayed_at = now() where id = $1', [id]);
  }

  async waiting(): Promise<number> {
    const found: unknown = await this.dataSource.query(
      'select count(*)::int as letters from dead_letter where consumer_group = $1 and replayed_at is null',
      [this.group],
    );
    return countIn(found);
  }
}

const counts = z.array(z.object({ letters: z.int() })).length(1);

function countIn(rows: unknown): number {
  return counts.parse(rows)[0]?.letters ?? 0;
}

/** The message as JSON. One that is larger than `most` is cut; the broker still has it whole. */
function textOf({ value, headers }: FeedMessage, most: number): string {
  const whole = JSON.stringify({ value, headers });
  const kept =
    whole.length <= most
      ? whole
      : JSON.stringify({
          // PostgreSQL takes no half of a surrogate pair.
          value: whole.slice(0, keptCharacters).replace(/[\ud800-\udbff]$/, ''),
          headers: { 'strongroom-cut': `of ${whole.length} characters` },
        });
  // PostgreSQL keeps no NUL in text.
  return kept.replaceAll('\\u0000', '\\ufffd');
}
