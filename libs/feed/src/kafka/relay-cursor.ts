/**
 * How far the events of a topic were sent, with the lease of the process that sends. It is a lease and not a lock, because a
 * frozen process keeps its connections and with them its locks. Only the holder of the lease moves the cursor.
 */
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

export interface CursorKey {
  source: string;
  topic: string;
  /** Who holds the lease. It is unique to the process. */
  holder: string;
}

const byPartition = <T extends z.ZodType>(value: T) =>
  z
    .record(z.coerce.number(), value)
    .transform((found) => new Map(Object.entries(found).map(([p, v]) => [Number(p), v])));
const held = z.object({
  position: z.coerce.number(),
  ends: byPartition(z.coerce.bigint()),
  ahead: z.object({ from: z.number(), upTo: byPartition(z.number()) }).nullable(),
  partitions: z.int().nullable(),
});
const cursors = z.array(z.object({ held: held.nullable(), othersForMs: z.coerce.number() }));
const topics = z.array(z.object({ topic: z.string() }));

/** Takes or prolongs the lease. @returns for how long another process holds it, in milliseconds, when one does */
export async function lease(
  dataSource: DataSource,
  { source, topic, holder }: CursorKey,
  leaseMs: number,
): Promise<Reached | { othersForMs: number }> {
  const taken: unknown = await dataSource.query(
    `with held as (
       update relay_cursor set holder = $3, held_until = now() + $4 * interval '1 ms', held_ms = $4
       where source = $1 and topic = $2 and (holder = $3 or held_until is null or held_until < now()
         -- Further ahead than it is long: made by a clock that was wrong.
         or held_until > now() + coalesce(held_ms, $4) * interval '1 ms' + interval '5 s')
       returning position, ends, ahead, partitions
     ) select (select to_jsonb(held) from held) as held,
       coalesce(extract(epoch from held_until - now()) * 1000, 0) as "othersForMs"
     from relay_cursor where source = $1 and topic = $2`,
    [source, topic, holder, leaseMs],
  );
  const [found] = cursors.parse(taken);
  if (!found) {
    await dataSource.query('insert into relay_cursor (source, topic) values ($1, $2) on conflict do nothing', [
      source,
      topic,
    ]);
  }
  const row = found?.held;
  if (!row) return { othersForMs: found?.othersForMs ?? 0 };
  const { position, ends, partitions } = row;
  // A cursor that was set back since makes what is ahead of it worthless.
  const isValid = row.ahead !== null && row.ahead.from <= position;
  const upTo = isValid ? [...(row.ahead?.upTo ?? [])].filter(([, to]) => to > position) : [];
  return { position, ends, ahead: new Map(upTo), partitions: partitions ?? undefined };
}

/**
 * Prolongs the leases of a holder. It has no effect on one that was given back, or that another process has.
 * @returns their topics
 */
export async function renew(dataSource: DataSource, holder: string, leaseMs: number): Promise<string[]> {
  const renewed: unknown = await dataSource.query(
    `with renewed as (
       update relay_cursor set held_until = now() + $2 * interval '1 ms', held_ms = $2
       where holder = $1 and held_until is not null returning topic
     ) select topic from renewed`,
    [holder, leaseMs],
  );
  return topics.parse(renewed).map(({ topic }) => topic);
}

/** Ends the lease, so that the next relay need not wait until it lapses. */
export async function giveBack(dataSource: DataSource, { source, topic, holder }: CursorKey): Promise<void> {
  await dataSource.query('update relay_cursor set held_until = null where source = $1 and topic = $2 and holder = $3', [
    source,
    topic,
    holder,
  ]);
}

/** The cursor moves only from where it was, because it is set back when the topic is lost meanwhile. */
export async function move(
  dataSource: DataSource,
  { source, topic, holder }: CursorKey,
  from: number,
  { position, ahead, ends, partitions }: Reached,
): Promise<void> {
  const text = (found: ReadonlyMap<number, unknown>) =>
    Object.fromEntries([...found].map(([partition, value]) => [partition, String(value)]));
  const beyond = ahead.size === 0 ? null : { from: position, upTo: Object.fromEntries(ahead) };
  await dataSource.query(
    `update relay_cursor set position = $5, ends = ends || $6::jsonb, ahead = $7, partitions = $8, moved_at = now()
     where source = $1 and topic = $2 and holder = $3 and position = $4`,
    [source, topic, holder, from, position, JSON.stringify(text(ends)), beyond && JSON.stringify(beyond), partitions],
  );
}
