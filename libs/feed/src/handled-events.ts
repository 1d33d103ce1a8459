/**
 * Which events a group has handled. The offsets say only how far the group is, and not which events it was moved past. A row
 * is written in the transaction of the handlers, and is removed when the second look has passed its event.
 */
import { preparedWithin } from '@strongroom/runtime';
import type { EntityManager } from 'typeorm';
import { z } from 'zod';

const positions = z.array(z.object({ position: z.coerce.number() }));

// What the second look has passed was handled or set aside, and its row is forgotten.
const toClaim = `with passed as (
    select s.position as upto, coalesce((select position from feed_handled_since), 0) as since
    from second_look s where s.consumer_group = $1
  ), claimed as (
    insert into feed_handled (consumer_group, position)
    select $1, position from unnest($2::bigint[]) as places(position)
    where not exists (select from passed where position > since and position <= upto)
    order by position
    on conflict do nothing returning position
  ) select position from claimed`;

/**
 * Claims events for the transaction that is to handle them. An event that another transaction has claimed is waited for: it is
 * handled there, or free again. @returns the positions that are claimed; the group has handled the others
 */
export async function claimUnhandled(
  manager: EntityManager,
  group: string,
  places: readonly number[],
): Promise<Set<number>> {
  if (places.length === 0) return new Set();
  const rows: unknown = await preparedWithin(manager, toClaim, [group, places]);
  return new Set(positions.parse(rows).map(({ position }) => position));
}

export async function recordHandled(manager: EntityManager, group: string, places: readonly number[]): Promise<void> {
  if (places.length === 0) return;
  await manager.query(
    `insert into feed_handled (consumer_group, position) select $1, position from unnest($2::bigint[]) as places(position)
     on conflict do nothing`,
    [group, places],
  );
}

/**
 * Those of the positions whose events the group has not handled, in order. Each is looked for in the index: as a join, and with no statistics yet,
 * the planner would read the whole table.
 */
export async function unhandledOf(
  database: Pick<EntityManager, 'query'>,
  group: string,
  places: readonly number[],
): Promise<number[]> {
  const rows: unknown = await database.query(
    `select position from unnest($2::bigint[]) as places(position)
     where (select h.position from feed_handled h where h.consumer_group = $1 and h.position = places.position) is null
     order by position`,
    [group, places],
  );
  return positions.parse(rows).map(({ position }) => position);
}

export async function forgetHandled(manager: EntityManager, group: string, upTo: number): Promise<void> {
  await manager.query('delete from feed_handled where consumer_group = $1 and position <= $2', [group, upTo]);
}
