/** How far a consumer group has handled each partition. It is kept in a row, whose lock keeps other consumers out. */
import { wakeReaders } from '@strongroom/ledger';
import { preparedWithin } from '@strongroom/runtime';
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { FeedMessage, ReadMessage } from './feed-message.js';

export interface PartitionKey {
  group: string;
  /** Where the messages come from: a cluster of the broker, or the ledger. */
  source: string;
  topic: string;
  partition: number;
}

export interface Handled {
  /** The offset of the last message handled; -1 before the first. */
  offset: bigint;
  /** The ledger position of the last event handled. */
  position: number;
  /** Over how many partitions the relay spreads the keys of the topic; null or undefined when no relay has told. */
  spreadOver?: number | null;
}

/** Keeps how far a group is. */
export interface Offsets {
  /** Locks the rows until the transaction ends, in one order for everybody. @returns how far each partition is, in the order of the keys */
  lock(manager: EntityManager, keys: readonly PartitionKey[]): Promise<Handled[]>;
  move(manager: EntityManager, moved: readonly Moved[]): Promise<void>;
}

/** How far a partition is from now on. */
export interface Moved {
  key: PartitionKey;
  handled: Handled;
}

const rows = z.array(z.object({ partition: z.int(), offset: z.coerce.bigint(), position: z.coerce.number() }));
const lockedRows = z.array(
  z.object({
    place: z.coerce.number(),
    offset: z.coerce.bigint(),
    position: z.coerce.number(),
    spreadOver: z.int().nullable(),
  }),
);

const asked = 'unnest($1::text[], $2::text[], $3::text[], $4::integer[])';
/** The rows are locked one by one, in the order in which they are asked for. */
const toLock = `select asked.place, own.* from ${asked} with ordinality as asked(consumer_group, source, topic, partition, place)
  cross join lateral (
    select "offset", position, (select c.partitions from relay_cursor c where c.source = o.source and c.topic = o.topic) as "spreadOver"
    from feed_offset o where o.consumer_group = asked.consumer_group and o.source = asked.source
      and o.topic = asked.topic and o.partition = asked.partition
    for update of o
  ) own`;
const toMake = `insert into feed_offset (consumer_group, source, topic, partition) select * from ${asked} on conflict do nothing`;
const toMove = `update feed_offset o set "offset" = moved."offset", position = moved.position,
    moved_at = case when o.position = moved.position then o.moved_at else now() end
  from unnest($1::text[], $2::text[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[])
    as moved(consumer_group, source, topic, partition, "offset", position)
  where o.consumer_group = moved.consumer_group and o.source = moved.source and o.topic = moved.topic and o.partition = moved.partition`;

/** Locks the partitions until the transaction ends. */
async function lockHandled(manager: EntityManager, keys: readonly PartitionKey[]): Promise<Handled[]> {
  const ordered = [...keys].sort(inOrder);
  const lock = async () => lockedRows.parse(await preparedWithin(manager, toLock, columnsOf(ordered)));
  let found = await lock();
  if (found.length < keys.length) {
    await manager.query(toMake, columnsOf(ordered));
    found = await lock();
  }
  const byKey = new Map(found.map(({ place, ...handled }) => [ordered[place - 1], handled]));
  return keys.map((key) => {
    const handled = byKey.get(key);
    if (!handled) throw new Error(`the offset of ${key.topic}/${key.partition} for ${key.group} is gone`);
    return handled;
  });
}

/** A partition moves when an event is handled. Messages of strangers move only its offset, and keep no event waiting. */
async function moveHandled(manager: EntityManager, moved: readonly Moved[]): Promise<void> {
  if (moved.length === 0) return;
  await preparedWithin(manager, toMove, [
    ...columnsOf(moved.map(({ key }) => key)),
    moved.map(({ handled }) => handled.offset.toString()),
    moved.map(({ handled }) => handled.position),
  ]);
}

function columnsOf(keys: readonly PartitionKey[]): unknown[] {
  return [
    keys.map(({ group }) => group),
    keys.map(({ source }) => source),
    keys.map(({ topic }) => topic),
    keys.map(({ partition }) => partition),
  ];
}

function inOrder(one: PartitionKey, other: PartitionKey): number {
  const [first, second] = [placeOf(one), placeOf(other)];
  if (first !== second) return first < second ? -1 : 1;
  return one.partition - other.partition;
}

function placeOf({ group, source, topic }: PartitionKey): string {
  return [group, source, topic].join('\n');
}

export const feedOffsets: Offsets = { lock: lockHandled, move: moveHandled };

/**
 * Takes back the group's offsets beyond the end of the ledger, which would hide all events to come.
 * @returns their topics, and the position of the newest event of the ledger
 */
export async function takeBackBeyondEnd(
  dataSource: DataSource,
  group: string,
): Promise<{ topics: string[]; head: number }> {
  const found: unknown = await dataSource.query(
    `with ledger as (select ledger_head() as last), taken as (
       -- Of the ledger itself an offset is a place in it.
       update feed_offset set position = least(position, last),
         "offset" = case when source = 'ledger' then least("offset", position, last) else "offset" end, moved_at = now()
       from ledger where consumer_group = $1 and (position > last or (source = 'ledger' and "offset" > last)) returning topic
     ) select last as head, (select coalesce(array_agg(topic), '{}') from taken) as topics from ledger`,
    [group],
  );
  const [{ topics, head } = { topics: [], head: 0 }] = z
    .array(z.object({ topics: z.array(z.string()), head: z.coerce.number() }))
    .length(1)
    .parse(found);
  if (topics.length > 0) await wakeReaders(dataSource.manager);
  return { topics, head };
}

/** A partition of which the group has handled an event within the last second. */
export interface Moving {
  topic: string;
  partition: number;
  /** Over how many partitions the keys of the topic are spread; null when no relay has told. */
  partitions: number | null;
}

const movingRows = z.array(z.object({ topic: z.string(), partition: z.int(), partitions: z.int().nullable() }));

/** The partitions that some consumer of the group goes on with. */
export async function movingPartitions(dataSource: DataSource, group: string): Promise<Moving[]> {
  const found: unknown = await dataSource.query(
    `select topic, partition, (select max(c.partitions) from relay_cursor c where c.topic = o.topic)::int as partitions
     from feed_offset o where consumer_group = $1 and source <> 'ledger'
       and moved_at > now() - interval '1 s' and moved_at <= now() + interval '1 s'`,
    [group],
  );
  return movingRows.parse(found);
}

/** How far the group is in every partition of a topic that it has begun. */
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
 * Whether the message was handled before. The position that it tells says so, also when a relay has sent the event twice or
 * the topic was made anew. A message that tells none has only its offset.
 */
export function isRepetition({ message, place }: ReadMessage, handled: Handled): boolean {
  return place ? place.position <= handled.position : message.offset <= handled.offset;
}

/**
 * How far the group is after a message whose event the ledger has at its place, and that lies where it belongs. No other
 * message moves the position, because it could skip events. A new event moves the offset even to a lower one: its topic was
 * made anew then.
 */
export function after({ message, place }: Pick<ReadMessage, 'message' | 'place'>, handled: Handled): Handled {
  if (place && place.position > handled.position) {
    return { ...handled, offset: message.offset, position: place.position };
  }
  return passedOver(message, handled);
}

/** How far the group is after a message that it skips. */
export function passedOver({ offset }: FeedMessage, handled: Handled): Handled {
  return offset > handled.offset ? { ...handled, offset } : handled;
}

/**
 * Makes the relay fill topics from the start of the ledger, and the groups read them from their start. Positions stay, so
 * events that were handled are skipped. @returns the topics that had been filled before
 */
export async function beginAnew(dataSource: DataSource, source: string, topics: string[]): Promise<string[]> {
  return dataSource.transaction(async (manager) => {
    const place = [source, topics];
    const cursors: unknown = await manager.query(
      `with lost as (
         update relay_cursor set position = 0, ends = '{}', ahead = null, partitions = null, moved_at = now() where source = $1 and topic = any($2) and (position > 0 or ahead is not null)
         returning topic
       ) select topic from lost order by topic`,
      place,
    );
    await manager.query(`update feed_offset set "offset" = -1 where source = $1 and topic = any($2)`, place);
    // Other messages will get the same offsets.
    await manager.query(
      `update dead_letter set source = source || ' until ' || now() where source = $1 and topic = any($2)`,
      place,
    );
    await wakeReaders(manager);
    return z
      .array(z.object({ topic: z.string() }))
      .parse(cursors)
      .map(({ topic }) => topic);
  });
}
