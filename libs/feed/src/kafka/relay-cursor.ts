/**
 * How far the events of topics were sent, with the leases of the process that sends. It is a lease and not a lock, because a
 * frozen process keeps its connections and with them its locks. Only the holder of a lease moves the cursor, and only from where
 * it was: it is set back when the topic is lost meanwhile.
 */
import type { Aggregate } from '@strongroom/contracts';
import { newestOfKind } from '@strongroom/ledger';
import type { DataSource } from 'typeorm';
import { z } from 'zod';

/** By partition, an offset or a position. */
export type ByPartition<T> = ReadonlyMap<number, T>;

export interface Reached {
  /** Up to this position the events were sent to every partition. */
  position: number;
  /** By partition, the position up to which its events were sent, where that is beyond `position`. */
  ahead: ByPartition<number>;
  /** By partition, the offset after the newest message that the broker has acknowledged. */
  ends: ByPartition<bigint>;
  /** Over how many partitions the keys are spread; undefined before the first event. */
  partitions: number | undefined;
}

/** Of which topic a lease is asked for, and what its cursor is to be when it is still where the holder has seen it. */
export interface Asked {
  topic: string;
  aggregate: Aggregate;
  seen?: Seen | undefined;
  to?: Reached | undefined;
}

/** A cursor as the row has it, to tell whether somebody else has changed it. */
export interface Seen {
  position: number;
  ahead: unknown;
}

export interface Leased {
  reached: Reached;
  seen: Seen;
  /** Whether the cursor was where the holder had seen it. It was moved then, if it was to be. */
  isSame: boolean;
  /** The position of the newest event of the topic in the ledger; 0 before the first. */
  newest: number;
}

/** What a process that does not relay a topic sees of it. */
export interface Watched {
  topic: string;
  /** For how long somebody holds the lease, in milliseconds; 0 or less when nobody does. */
  heldForMs: number;
  /** Whether nobody has taken the lease since it was given back. */
  isVacant: boolean;
  /** Whether events are to be sent. */
  isBehind: boolean;
}

const byPartition = <T extends z.ZodType>(value: T) =>
  z
    .record(z.coerce.number(), value)
    .transform((found) => new Map(Object.entries(found).map(([p, v]) => [Number(p), v])));
const aheadOf = z.object({ from: z.number(), upTo: byPartition(z.number()) }).nullable();
const leased = z.array(
  z.object({
    topic: z.string(),
    position: z.coerce.number(),
    ends: byPartition(z.coerce.bigint()),
    ahead: z.unknown(),
    partitions: z.int().nullable(),
    isSame: z.boolean(),
    newest: z.coerce.number(),
  }),
);
const watched = z.array(
  z.object({ topic: z.string(), heldForMs: z.coerce.number(), isVacant: z.boolean(), isBehind: z.boolean() }),
);

const newestRows = z.array(z.object({ aggregate: z.string(), newest: z.coerce.number() }));

const newestOfTopic = newestOfKind('a.aggregate');
/** Further ahead than it is long, a lease was made by a clock that was wrong. */
const byWrongClock = `c.held_until > now() + coalesce(c.held_ms, $4) * interval '1 ms' + interval '5 s'`;

/**
 * Takes or prolongs the leases of topics that nobody else holds, and moves their cursors, by one statement. It does not wait for the
 * disk: what a crash of the database takes back is sent again.
 * @returns what is held, by topic
 */
export async function lease(
  dataSource: DataSource,
  { source, holder }: { source: string; holder: string },
  asked: readonly Asked[],
  leaseMs: number,
): Promise<Map<string, Leased>> {
  const rows: unknown = await dataSource.query(
    `with asked as (
       select * from jsonb_to_recordset($3::jsonb)
         as a(topic text, aggregate text, seen jsonb, position bigint, ahead jsonb, ends jsonb, partitions integer)
     ), free as materialized (
       select c.topic, coalesce(c.position = (a.seen->>'position')::bigint and c.ahead is not distinct from nullif(a.seen->'ahead', 'null'), false) as is_same
       from relay_cursor c join asked a using (topic)
       where c.source = $1 and (c.holder = $2 or c.held_until is null or c.held_until < now() or ${byWrongClock})
       order by c.topic for update of c
     ), later as materialized (
       select set_config('synchronous_commit', 'off', true)
     ), held as (
       update relay_cursor c set holder = $2, held_until = now() + $4 * interval '1 ms', held_ms = $4,
         position = case when moves then a.position else c.position end,
         ahead = case when moves then nullif(a.ahead, 'null') else c.ahead end,
         ends = case when moves then c.ends || a.ends else c.ends end,
         partitions = case when moves then a.partitions else c.partitions end,
         moved_at = case when moves then now() else c.moved_at end
       from later, free f join asked a using (topic), lateral (select f.is_same and a.position is not null as moves) m
       where c.source = $1 and c.topic = f.topic
       returning c.topic, c.position, c.ends, c.ahead, c.partitions, f.is_same as "isSame", a.aggregate
     ) select a.*, ${newestOfTopic} as newest from held a`,
    [source, holder, JSON.stringify(asked.map(rowOf)), leaseMs],
  );
  return new Map(
    leased.parse(rows).map(({ topic, position, ahead, ends, partitions, isSame, newest }) => {
      const told = aheadOf.parse(ahead);
      // A cursor that was set back since makes what is ahead of it worthless.
      const isValid = told !== null && told.from <= position;
      const upTo = isValid ? [...told.upTo].filter(([, to]) => to > position) : [];
      const reached = { position, ends, ahead: new Map(upTo), partitions: partitions ?? undefined };
      return [topic, { reached, seen: { position, ahead }, isSame, newest }];
    }),
  );
}

/** Looks at topics without taking anything. Topics without a row get one. */
export async function watch(
  dataSource: DataSource,
  source: string,
  topics: readonly Pick<Asked, 'topic' | 'aggregate'>[],
  leaseMs: number,
): Promise<Watched[]> {
  const names = topics.map(({ topic }) => topic);
  const look = async () => {
    const rows: unknown = await dataSource.query(
      `select c.topic, c.holder is null as "isVacant", c.position < ${newestOfTopic} as "isBehind",
         case when ${byWrongClock} then 0 else coalesce(extract(epoch from c.held_until - now()) * 1000, 0) end as "heldForMs"
       from relay_cursor c join unnest($2::text[], $3::text[]) as a(topic, aggregate) using (topic) where c.source = $1`,
      [source, names, topics.map(({ aggregate }) => aggregate), leaseMs],
    );
    return watched.parse(rows);
  };
  const found = await look();
  if (found.length === names.length) return found;
  await dataSource.query(
    'insert into relay_cursor (source, topic) select $1, unnest($2::text[]) order by 2 on conflict do nothing',
    [source, names],
  );
  return look();
}

/** The positions of the newest events of some kinds. */
export async function newestOf(
  dataSource: DataSource,
  aggregates: readonly Aggregate[],
): Promise<ReadonlyMap<string, number>> {
  const rows: unknown = await dataSource.query(
    `select a.aggregate, ${newestOfTopic} as newest from unnest($1::text[]) as a(aggregate)`,
    [aggregates],
  );
  return new Map(newestRows.parse(rows).map(({ aggregate, newest }) => [aggregate, newest]));
}

/** Ends leases, so that the next relay need not wait until they lapse. */
export async function giveBack(
  dataSource: DataSource,
  { source, holder }: { source: string; holder: string },
  topics: readonly string[],
): Promise<void> {
  await dataSource.query(
    'update relay_cursor set holder = null, held_until = null where source = $1 and topic = any($2) and holder = $3',
    [source, topics, holder],
  );
}

function rowOf({ topic, aggregate, seen, to }: Asked) {
  if (!to) return { topic, aggregate, seen };
  const { position, ahead, ends, partitions } = to;
  return {
    ...{ topic, aggregate, seen, position, partitions },
    ahead: ahead.size === 0 ? null : { from: position, upTo: Object.fromEntries(ahead) },
    ends: Object.fromEntries([...ends].map(([partition, end]) => [partition, String(end)])),
  };
}
