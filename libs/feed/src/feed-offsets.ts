/** How far a consumer group has handled each partition: a row whose lock fences every other consumer of the partition. */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { FeedMessage, ReadMessage } from './feed-message.js';

export interface PartitionKey {
  group: string;
  /** The broker cluster, or the ledger. */
  source: string;
  topic: string;
  partition: number;
}

export interface Handled {
  /** Of the last message handled; -1 before the first. */
  offset: bigint;
  /** The ledger position of the last event handled. */
  position: number;
}

/** Where it is kept how far a group is. */
export interface Offsets {
  /** Takes the place for the length of the transaction. */
  lock(manager: EntityManager, key: PartitionKey): Promise<Handled>;
  move(manager: EntityManager, key: PartitionKey, handled: Handled): Promise<void>;
}

const rows = z.array(z.object({ partition: z.int(), offset: z.coerce.bigint(), position: z.coerce.number() }));

/** Takes the partition for the length of the transaction. */
async function lockHandled(
  manager: EntityManager,
  { group, source, topic, partition }: PartitionKey,
): Promise<Handled> {
  const key = [group, source, topic, partition];
  await manager.query(
    'insert into feed_offset (consumer_group, source, topic, partition) values ($1, $2, $3, $4) on conflict do nothing',
    key,
  );
  const found: unknown = await manager.query(
    `select partition, "offset", position from feed_offset
     where consumer_group = $1 and source = $2 and topic = $3 and partition = $4 for update`,
    key,
  );
  const [row] = rows.parse(found);
  if (!row) throw new Error(`the offset of ${topic}/${partition} for ${group} is gone`);
  return { offset: row.offset, position: row.position };
}

async function moveHandled(manager: EntityManager, key: PartitionKey, { offset, position }: Handled): Promise<void> {
  await manager.query(
    `update feed_offset set "offset" = $5, position = $6, moved_at = now()
     where consumer_group = $1 and source = $2 and topic = $3 and partition = $4`,
    [key.group, key.source, key.topic, key.partition, offset.toString(), position],
  );
}

export const feedOffsets: Offsets = { lock: lockHandled, move: moveHandled };

/** Takes back the group's offsets that lie beyond the end of the ledger: nothing that comes would be handled. @returns the topics */
export async function takeBackBeyondEnd(dataSource: DataSource, group: string): Promise<string[]> {
  const found: unknown = await dataSource.query(
    `with ledger as (select ledger_head() as last), taken as (
       -- Of the ledger itself an offset is a place in it.
       update feed_offset set position = least(position, last),
         "offset" = case when source = 'ledger' then least("offset", position, last) else "offset" end, moved_at = now()
       from ledger where consumer_group = $1 and (position > last or (source = 'ledger' and "offset" > last)) returning topic
     ) select topic from taken`,
    [group],
  );
  return z
    .array(z.object({ topic: z.string() }))
    .parse(found)
    .map(({ topic }) => topic);
}

/** Every partition of a topic that the group has begun. */
export async function handledOf(
  manager: EntityManager,
  { group, source, topic }: Omit<PartitionKey, 'partition'>,
): Promise<Map<number, Handled>> {
  const found: unknown = await manager.query(
    'select partition, "offset", position from feed_offset where consumer_group = $1 and source = $2 and topic = $3',
    [group, source, topic],
  );
  return new Map(rows.parse(found).map(({ partition, offset, position }) => [partition, { offset, position }]));
}

/**
 * Whether the message was handled before. The event's place in the ledger tells it, also of one that a relay sent twice
 * or that lies in a topic made anew; a message without an event has only its offset.
 */
export function isRepetition({ message, event }: ReadMessage, handled: Handled): boolean {
  return event ? event.position <= handled.position : message.offset <= handled.offset;
}

/**
 * How far the group is after the message. Only an event moves the position: what a header claims could skip events unseen.
 * An event that is news takes its offset with it, be it a lower one: its topic was made anew.
 */
export function after({ message, event }: ReadMessage, handled: Handled): Handled {
  if (event && event.position > handled.position) return { offset: message.offset, position: event.position };
  return passedOver(message, handled);
}

/** How far the group is after a message that it only passes over. */
export function passedOver({ offset }: FeedMessage, handled: Handled): Handled {
  return offset > handled.offset ? { ...handled, offset } : handled;
}

/**
 * Has topics that are made anew filled from the start of the ledger, and read from their start. Positions stay: what was
 * handled is skipped. @returns those that had been filled before
 */
export async function beginAnew(dataSource: DataSource, source: string, topics: string[]): Promise<string[]> {
  return dataSource.transaction(async (manager) => {
    const place = [source, topics];
    const cursors: unknown = await manager.query(
      `with lost as (
         update relay_cursor set position = 0, ends = '{}', moved_at = now() where source = $1 and topic = any($2) and position > 0
         returning topic
       ) select topic from lost order by topic`,
      place,
    );
    await manager.query(`update feed_offset set "offset" = -1 where source = $1 and topic = any($2)`, place);
    // Their offsets will be given again, to other messages.
    await manager.query(
      `update dead_letter set source = source || ' until ' || now() where source = $1 and topic = any($2)`,
      place,
    );
    return z
      .array(z.object({ topic: z.string() }))
      .parse(cursors)
      .map(({ topic }) => topic);
  });
}
