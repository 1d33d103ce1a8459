/**
 * How far a group's second look is: up to there every event has been handled or set aside. It is kept apart from the group's
 * offsets, because the second look checks those offsets.
 */
import type { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import type { Handled, Moved, Offsets, PartitionKey } from './feed-offsets.js';

const positions = z.array(z.object({ position: z.coerce.number() }));

const since = 'coalesce((select position from feed_handled_since), 0)';

export function secondLookKey(group: string): PartitionKey {
  return { group, source: 'second look', topic: 'ledger', partition: 0 };
}

export async function secondLookAt(dataSource: DataSource, group: string): Promise<number> {
  const rows: unknown = await dataSource.query(
    `select coalesce((select position from second_look where consumer_group = $1), ${since}) as position`,
    [group],
  );
  return positions.parse(rows)[0]?.position ?? 0;
}

/** The offsets of the second look, which are positions in the ledger. A group has one. */
export const secondLookOffsets: Offsets = {
  async lock(manager: EntityManager, keys: readonly PartitionKey[]): Promise<Handled[]> {
    const locked: Handled[] = [];
    for (const { group } of keys) locked.push(await lockSecondLook(manager, group));
    return locked;
  },

  async move(manager: EntityManager, moved: readonly Moved[]): Promise<void> {
    for (const { key, handled } of moved) await moveSecondLook(manager, key.group, handled);
  },
};

/** Locks the place of a group's second look until the transaction ends. */
export async function lockSecondLook(manager: EntityManager, group: string): Promise<Handled> {
  await manager.query(`insert into second_look (consumer_group, position) select $1, ${since} on conflict do nothing`, [
    group,
  ]);
  const rows: unknown = await manager.query('select position from second_look where consumer_group = $1 for update', [
    group,
  ]);
  const position = positions.parse(rows)[0]?.position ?? 0;
  return { offset: BigInt(position), position };
}

export async function moveSecondLook(
  manager: EntityManager,
  group: string,
  { position, offset }: Handled,
): Promise<void> {
  await manager.query('update second_look set position = $2 where consumer_group = $1', [
    group,
    // An event that can't be read has only its offset.
    Math.max(position, Number(offset)),
  ]);
}
